"""``--dry-run``: the plan of a run, printed instead of carried out.

It is data and goes to standard output. With ``--json`` it is one object: ``model`` (its
``download`` is null if it is on this disk), ``prompt`` and ``negative_prompt`` (the fields of
`sheepgen.prompt_reading.PromptReading`), ``image_notes`` (sentences on what is done to the picture
to start from), ``warnings`` (sentences on values outside of the model's range), ``estimate`` (the
fields of `sheepgen.execution.timing.Estimate`), ``memory`` (what
`sheepgen.execution.memory.RunMemory.to_dict` returns) and ``images``, each with its ``path``, the
path it ``wanted`` if that is taken, and its ``request``.
"""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sheepgen.cli.console import write_data
from sheepgen.guidance_interval import ALL_STEPS
from sheepgen.options import OFFLOADS
from sheepgen.prompt_reading import describe_reading
from sheepgen.prompt_template import describe_picks
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import byte_size, excerpt, plural
from sheepgen.schedulers import OWN_SCHEDULER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.execution.memory import RunMemory
    from sheepgen.execution.plan import RunPlan
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["memory_rows", "print_download", "print_memory", "print_plan", "print_rows"]


def print_download(plan: DownloadPlan, *, json: bool) -> None:
    """Print what the first download would take; the rest is known only once it is here."""
    if json:
        download = {
            "bytes": plan.total_bytes,
            "free_bytes": plan.free_bytes,
            "commit": plan.commit,
            "licence": plan.licence,
            "folder": str(plan.folder),
            "files": [file.name for file in plan.files],
        }
        write_data(json_format.dumps({plan.kind: {"name": plan.repo, "download": download}}))
        return
    _print(plan.kind, f"{plan.repo}, licence {plan.licence or 'not stated'}")
    _print("to download", f"{byte_size(plan.total_bytes)} in {plural(len(plan.files), 'file')}")
    _print("into", f"{plan.folder}, {byte_size(plan.free_bytes)} free")


def print_plan(plan: RunPlan, *, json: bool) -> None:
    """Print what would be generated, with which model, and into which files."""
    spec, first = plan.spec, plan.requests[0]
    images = [
        {
            "path": str(plan.free_targets[request].path),
            "wanted": str(target.path),
            "request": asdict(request),
        }
        for request, target in plan.targets.items()
    ]
    if json:
        model: dict[str, Any] = {
            "name": spec.name,
            "revision": spec.revision,
            "sha256": spec.sha256,
            "download": None,
        }
        prompts = {
            name.replace(" ", "_"): asdict(reading) for name, reading in plan.prompts.items()
        }
        notes: dict[str, Any] = {"image_notes": plan.image_notes, "warnings": plan.warnings}
        whole: dict[str, Any] = {"model": model, **prompts, **notes}
        estimate = asdict(plan.estimate)
        whole |= {"estimate": estimate, "memory": plan.memory.to_dict(), "images": images}
        write_data(json_format.dumps(whole))
        return
    for warning in (*plan.warnings, *plan.image_notes):
        write_data(excerpt(warning, 300))
    place = "installed" if spec.name == EMBEDDED_MODEL else "on disk"
    _print("model", f"{spec.name} ({place})")
    for name, paths in asdict(first.adapters).items():
        if paths:
            _print(name, paths.replace(",", ", "))
    for name, reading in plan.prompts.items():
        _print(name, _reading(reading))
    pictures = [each for each in first.passes if each.makes_picture]
    _print("size", ", then ".join(f"{each.width}x{each.height}" for each in pictures))
    _print("steps", _steps(first))
    interval = first.guidance_interval
    part = "" if interval == ALL_STEPS else f", {interval} of the steps"
    _print("guidance", f"{first.guidance_scale:g}{part}")
    for each in first.passes:
        if each.stage:
            _print(each.stage, f"{plural(each.steps, 'step')}, guidance {each.guidance_scale:g}")
    _print("time", plan.estimate.time)
    _print("disk", plan.estimate.disk)
    print_memory(memory_rows(plan.memory, plan.estimate.peak_bytes))
    for request, target in plan.targets.items():
        wanted, path = target.path, plan.free_targets[request].path
        counted = f" ({wanted} is taken)" if path != wanted else ""
        _print(f"seed {request.seed}", f"{path}{counted}")
        if picked := describe_picks(request):
            _print("", picked)


def memory_rows(
    memory: RunMemory, peak_bytes: int | None = None, *, largest: bool = False
) -> dict[str, str]:
    """Return what images take of a device's memory in words, by the labels of the rows.

    Args:
        memory: As it is planned.
        peak_bytes: What such images took last time, which counts instead, if that is known.
        largest: Whether these are the ones that need most memory, of several models or sizes.
    """
    needed, free = memory.plan.needed, memory.free_bytes
    taken = f"about {byte_size(memory.needed_bytes)}"
    if peak_bytes is not None:
        taken = f"about {byte_size(peak_bytes)}, as in the last run,"
    room = "" if free is None else f", {byte_size(free)} free"
    rows = {"memory": f"{taken} on {memory.device}{room}"}
    if largest:
        width, height = memory.size
        rows["largest"] = f"{memory.model} at {width}x{height}"
    weights = (f"{each.name} {byte_size(each.weight_bytes)}" for each in memory.plan.components)
    rows["weights"] = f"{', '.join(weights)} in {memory.dtype}"
    if memory.device != "cpu":
        others = (f"{byte_size(needed[each])} with {each}" for each in OFFLOADS)
        rows["offload"] = f"{memory.offload}; memory is {', '.join(others)}"
    return rows


def print_memory(rows: Mapping[str, str]) -> None:
    """Print rows from `memory_rows`."""
    print_rows(rows)


def print_rows(rows: Mapping[str, str]) -> None:
    """Print a part of a plan: labels and what they are about."""
    for label, text in rows.items():
        _print(label, text)


def _steps(request: ResolvedRequest) -> str:
    is_own = request.scheduler == OWN_SCHEDULER
    scheduler = "the model's own scheduler" if is_own else request.scheduler
    steps = f"{request.num_inference_steps} of {scheduler}"
    first, *later = (each for each in request.passes if not each.stage)
    if request.image is not None:
        place = excerpt(request.image, 200)
        steps = f"the last {first.steps} of {steps}, from {place} (strength {request.strength:g})"
    return ", ".join([steps, *(f"then the last {each.steps} again" for each in later)])


def _reading(reading: PromptReading) -> str:
    if not reading.limit:
        return "not read"
    lost = f"; not read: {' '.join(reading.truncated)}" if reading.truncated else ""
    length = f"{reading.tokens} of {reading.limit} tokens{lost}"
    if not reading.understood and not reading.unused:
        return length
    said = describe_reading(reading.understood or "", reading.unused, reading.corrected)
    return f"{length}; {said}"


def _print(label: str, text: str) -> None:
    write_data(f"{label:<16} {excerpt(text, 300)}")
