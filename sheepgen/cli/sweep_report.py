"""What a sweep is about to do, in words, and with ``--dry-run`` as data."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sheepgen.cli.console import write_data
from sheepgen.execution.timing import Estimate, estimate
from sheepgen.sanitize import excerpt, plural
from sheepgen.sweep.plan import describe_plan

if TYPE_CHECKING:
    from sheepgen.cli.sweep_plan import SweepRun
    from sheepgen.options import DeviceOptions

__all__ = ["summarise", "tell_sweep"]


def summarise(run: SweepRun, options: DeviceOptions) -> list[str]:
    """Return the plan in a few lines.

    Args:
        run: What is planned.
        options: How images are made.
    """
    axes = " x ".join(f"{len(axis.values):,} of {axis.name}" for axis in run.plan.axes)
    made_of = f": {axes}" if axes else ""
    there = len(run.keys) - len(run.missing)
    lines = [f"{plural(len(run.keys), 'image')}{made_of}, into {run.folder}"]
    if there:
        lines.append(f"{there:,} there already, {len(run.missing):,} to draw")
    taking = _estimate(run, options)
    lines.append(f"{plural(taking.steps, 'step')}, {taking.time}")
    lines.append(f"Disk: {taking.disk}. Memory: {taking.memory}")
    return [*lines, *run.warnings]


def tell_sweep(run: SweepRun, options: DeviceOptions, *, json: bool) -> None:
    """Tell what would be drawn, and into which files."""
    images = [
        {
            "path": str(run.done.get(request, run.targets[request].path)),
            "key": key,
            "done": request in run.done,
            "request": asdict(request),
        }
        for request, key in run.keys.items()
    ]
    if json:
        plan: dict[str, Any] = {
            "plan": describe_plan(run.plan),
            "folder": str(run.folder),
            "warnings": run.warnings,
            **asdict(_estimate(run, options)),
        }
        write_data(json_format.dumps({**plan, "images": images}))
        return
    for line in summarise(run, options):
        write_data(excerpt(line, 300))
    for image in images:
        write_data(f"{'done' if image['done'] else 'to draw':<8} {image['path']}")


def _estimate(run: SweepRun, options: DeviceOptions) -> Estimate:
    return estimate(run.missing, run.specs, run.layout.frames, run.folder, options)
