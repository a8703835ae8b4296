"""What the commands share that fill one folder: its plan in a few lines, and the run."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from sheepgen.cli.console import note, write_data
from sheepgen.sanitize import excerpt, plural

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from rich.console import Console

    from sheepgen.events import RunEvent
    from sheepgen.execution.settings import RunSettings
    from sheepgen.presets import Presets
    from sheepgen.shard import Shard
    from sheepgen.sweep.grid import Value
    from sheepgen.sweep.plan import SweepPlan

__all__ = ["carry_out", "ready_sweep"]


def ready_sweep(
    values: Mapping[str, Sequence[Value]],
    output: str,
    settings: RunSettings,
    console: Console,
    *,
    presets: Presets,
    stops: int | None = None,
    shard: Shard | None = None,
    resume: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> SweepPlan | None:
    """Plan a sweep, and download what it takes; return None if the plan was printed instead.

    Args:
        values: As `sheepgen.sweep.plan.plan_sweep` takes them, as the next three, ``stops`` and
            ``shard``.
        output: What ``--output`` says.
        settings: How images are generated.
        console: For progress.
        presets: The user's names.
        stops: Of a morph.
        shard: Which share of the images is generated here.
        resume: Whether it is an error if the folder holds no sweep.
        dry_run: Whether to print the plan.
        json: Whether it is printed as JSON.
    """
    from sheepgen.cli.download import show_download
    from sheepgen.cli.dry_run import print_download
    from sheepgen.models.hub import DownloadPlan, go_offline
    from sheepgen.output.progress import spinner
    from sheepgen.sweep.plan import plan_sweep

    if settings.offline:
        go_offline()
    while True:
        with spinner(console, "Preparing"):
            plan = plan_sweep(
                values,
                output,
                settings,
                presets=presets,
                stops=stops,
                shard=shard,
                resume=resume,
                download=False,
            )
        if not isinstance(plan, DownloadPlan):
            break
        if dry_run:
            print_download(plan, json=json)
            return None
        show_download(console, plan)
    if dry_run:
        _print_plan(plan, json=json)
        return None
    return plan


def carry_out(
    plan: SweepPlan,
    events: Generator[RunEvent],
    console: Console,
    *,
    notes: Iterable[str] = (),
    json: bool = False,
    progress_json: bool = False,
    fail_fast: bool = False,
) -> None:
    """Print what there is to say of a plan, generate its images, and exit with 3 if some failed.

    Args:
        plan: From `ready_sweep`.
        events: Of its run.
        console: For progress and notes.
        notes: Further sentences for the user.
        json: Whether finished images are lines of JSON.
        progress_json: Whether progress is.
        fail_fast: Whether the first image that fails ends the run.
    """
    from sheepgen.cli.images import print_images

    memory = [f"Memory: {text}" for text in [*_memory_rows(plan).values()][:1]]
    for text in (*_summary(plan), *memory, *plan.prompt_notes, *plan.image_notes, *notes):
        note(console, text)
    failed = print_images(
        events,
        console,
        {request: plan.details[request] for request in plan.missing},
        json=json,
        progress_json=progress_json,
        keep_going=not fail_fast,
        json_details=True,
        preview=plan.settings.preview,
    )
    if failed:
        images = len(plan.done) + len(plan.missing)
        note(console, f"{failed} of {images} images failed. Run it again to retry.")
        raise typer.Exit(3)


def _summary(plan: SweepPlan) -> list[str]:
    """Return the plan of a sweep in a few lines."""
    from sheepgen.sweep.morph import STOP

    varied = [axis for axis in plan.grid.axes if axis.name != STOP]
    axes = " x ".join(f"{len(axis.values):,} of {axis.name}" for axis in varied)
    of_axes = f": {axes}" if axes else ""
    lines = [f"{plural(len(plan.keys), 'image')}{of_axes}, into {plan.folder}"]
    if plan.shard is not None:
        number, count = plan.shard.number, plan.shard.count
        own = plural(plan.shares[number - 1], "image")
        lines.append(f"Shard {number} of {count}: {own}")
    if plan.done and plan.missing:
        lines.append(f"{len(plan.done):,} already exist, {len(plan.missing):,} to generate")
    if not plan.missing:
        return [*lines, "Nothing to do: all images already exist and are intact."]
    lines.append(f"{plural(plan.estimate.steps, 'step')}, time {plan.estimate.time}")
    lines.append(f"Disk: {plan.estimate.disk}")
    return [*lines, *plan.warnings]


def _memory_rows(plan: SweepPlan) -> Mapping[str, str]:
    """Return what the missing images take of a device's memory, by the labels of the rows."""
    from sheepgen.cli.dry_run import memory_rows

    if plan.memory is None:
        return {}
    kinds = {(each.model_reference, each.adapters, each.final_size) for each in plan.missing}
    return memory_rows(plan.memory, plan.estimate.peak_bytes, largest=len(kinds) > 1)


def _write_object(values: Mapping[str, Any], last: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Write an object on one line, whose last value is a list that may be too long for memory."""
    begin = json_format.dumps(values).removesuffix("}")
    write_data(f"{begin}, {json_format.dumps(last)}: [", nl=False)
    for number, item in enumerate(items):
        write_data(f"{', ' if number else ''}{json_format.dumps(item)}", nl=False)
    write_data("]}")


def _print_plan(plan: SweepPlan, *, json: bool) -> None:
    """Print what a sweep would generate, and into which files.

    With ``json`` it is one object: ``plan`` (as `describe_grid` returns it), ``folder``,
    ``memory`` (what `sheepgen.execution.memory.RunMemory.to_dict` returns; null if every image is
    there), ``shard`` (its ``number``, their ``count``, and how many ``images`` each has; null
    without), ``prompts`` (each with its ``model``, ``text`` and the fields of
    `sheepgen.prompt_reading.PromptReading`), ``image_notes``, ``warnings``, the entries of the
    estimate, and ``images`` (of the shard), each with its ``path``, ``key``, ``request`` and
    whether it is ``done``.
    """
    from sheepgen.cli.dry_run import print_memory
    from sheepgen.sweep.grid import describe_grid

    own = {**plan.done, **plan.missing}
    images = (
        {
            "path": str(plan.done.get(request, plan.targets[request].path)),
            "key": key,
            "done": request in plan.done,
            "request": asdict(request),
        }
        for request, key in plan.keys.items()
        if request in own
    )
    if json:
        described: dict[str, Any] = {
            "plan": describe_grid(plan.grid),
            "folder": str(plan.folder),
            "shard": plan.shard and {**asdict(plan.shard), "images": plan.shares},
            "prompts": [
                {"model": model, "text": prompt.text, **asdict(prompt.reading)}
                for model, prompts in plan.prompts.items()
                for prompt in prompts
                if not prompt.is_negative
            ],
            "image_notes": plan.image_notes,
            "warnings": plan.warnings,
            **asdict(plan.estimate),
            "memory": plan.memory and plan.memory.to_dict(),
        }
        _write_object(described, "images", images)
        return
    for line in _summary(plan):
        write_data(excerpt(line, 300))
    if plan.shard is not None:
        write_data(excerpt(f"Images of each shard: {', '.join(map(str, plan.shares))}", 300))
    print_memory(_memory_rows(plan))
    for line in (*plan.prompt_notes, *plan.image_notes):
        write_data(excerpt(line, 300))
    for image in images:
        write_data(f"{'done' if image['done'] else 'to do':<8} {image['path']}")
