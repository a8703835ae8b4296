"""What a sweep is about to do, in words, and with ``--dry-run`` as data."""

from __future__ import annotations

import json as json_format
import math
import shutil
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sheepgen.cli.console import write_data
from sheepgen.pace import known_pace
from sheepgen.sweep.plan import describe_plan
from sheepgen.text import byte_size, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sheepgen.cli.sweep_plan import SweepRun
    from sheepgen.request import GenerationRequest
    from sheepgen.sinks.files import FrameChoice

__all__ = ["summarise", "tell_sweep"]

_RECORD_BYTES = 4_000


def summarise(run: SweepRun, *, device: str) -> list[str]:
    """Return the plan in a few lines.

    Args:
        run: What is planned.
        device: The device and number format as asked for, in one word.
    """
    axes = " x ".join(f"{len(axis.values):,} of {axis.name}" for axis in run.plan.axes)
    made_of = f": {axes}" if axes else ""
    there = len(run.keys) - len(run.missing)
    lines = [f"{_count(len(run.keys))}{made_of}, into {run.folder}"]
    if there:
        lines.append(f"{there:,} there already, {len(run.missing):,} to draw")
    steps = sum(_steps(request) for request in run.missing)
    seconds = _seconds(run, device)
    taking = (
        "how long is not known here before the first one"
        if seconds is None
        else f"about {timedelta(seconds=math.ceil(seconds))}"
    )
    needed, free = _bytes(run.missing, run.layout.frames), _free(run.folder)
    lines.append(f"{steps:,} steps, {taking}; at most {byte_size(needed)}, {byte_size(free)} free")
    return lines


def tell_sweep(run: SweepRun, *, device: str, json: bool) -> None:
    """Tell what would be drawn, and into which files."""
    images = [
        {
            "path": str(run.targets[request].products["image"]),
            "key": key,
            "done": request not in run.missing,
            "request": asdict(request),
        }
        for request, key in run.keys.items()
    ]
    if json:
        plan: dict[str, Any] = {
            "plan": describe_plan(run.plan),
            "folder": str(run.folder),
            "steps": sum(map(_steps, run.missing)),
            "seconds": _seconds(run, device),
            "max_bytes": _bytes(run.missing, run.layout.frames),
            "free_bytes": _free(run.folder),
        }
        write_data(json_format.dumps({**plan, "images": images}))
        return
    for line in summarise(run, device=device):
        write_data(excerpt(line, 300))
    for image in images:
        write_data(f"{'done' if image['done'] else 'to draw':<8} {image['path']}")


def _count(images: int) -> str:
    return "1 image" if images == 1 else f"{images:,} images"


def _steps(request: GenerationRequest) -> int:
    return request.num_inference_steps or 0


def _seconds(run: SweepRun, device: str) -> float | None:
    """Return the time that all missing images take, or None if one's pace is not known."""
    total = 0.0
    for request in run.missing:
        sha256 = run.specs[request.model].sha256
        pace = known_pace(request, model_sha256=sha256, device=device)
        if pace is None:
            return None
        total += pace * _steps(request)
    return total


def _bytes(requests: Iterable[GenerationRequest], frames: FrameChoice) -> int:
    """Return what the files take if nothing in them could be compressed."""
    total = 0
    for request in requests:
        picture = 3 * (request.width or 0) * (request.height or 0) + _RECORD_BYTES
        kept = (_steps(request) + 1) * (frames.steps + frames.noisy + bool(frames.animation))
        total += picture * (1 + kept) + frames.filmstrip * 4 * picture
    return total


def _free(folder: Path) -> int:
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free
