"""A prepared sweep becomes images, a manifest and contact sheets."""

from __future__ import annotations

import json as json_format
from typing import TYPE_CHECKING, Any

from sheepgen.cli.images import print_images
from sheepgen.cli.sweep_plan import PLAN_NAME, describe_run
from sheepgen.errors import OutputError
from sheepgen.execution.run import load_executor, make_images, prepare_folders, record_times
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output.atomic import output_errors, remove_leftovers, staging_folder, write_synced
from sheepgen.output.contact_sheet import SheetAxis, SheetCell, write_contact_sheets
from sheepgen.output.manifest import Manifest
from sheepgen.sweep.plan import describe_plan

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from sheepgen.cli.sweep_plan import SweepRun
    from sheepgen.events import RunEvent
    from sheepgen.execution.plan import RunSettings
    from sheepgen.request import ResolvedRequest
    from sheepgen.sweep.plan import SweepPlan

__all__ = ["draw_sheets", "draw_sweep"]


def draw_sweep(
    run: SweepRun,
    settings: RunSettings,
    *,
    console: Console,
    json: bool,
    progress_json: bool,
    keep_going: bool,
) -> int:
    """Draw what is missing; each finished image is one line on standard output.

    Returns:
        How many images failed.

    Raises:
        OutputError: If the disk is full; what is whole stays, and the same sweep goes on later.
        Interrupted: If Ctrl-C cut it short.
    """
    details = _details(run.plan)
    return print_images(
        _run(run, settings),
        console,
        {request: details[request] for request in run.missing},
        json_details=True,
        json=json,
        progress_json=progress_json,
        keep_going=keep_going,
    )


def _run(run: SweepRun, settings: RunSettings) -> Generator[RunEvent]:
    folders = {run.folder, *(run.targets[request].folder for request in run.missing)}
    yield from prepare_folders(folders)
    with WorkQueue(run.folder, folders) as queue:
        _write_plan(run)
        models = dict.fromkeys(request.model for request in run.missing)
        specs = {name: run.specs[name] for name in models}
        executor = yield from load_executor(specs, settings)
        events = make_images(run.missing, executor, queue, run.layout, run.targets)
        yield from record_times(events, specs, settings.device)


def draw_sheets(run: SweepRun) -> list[str]:
    """Draw the contact sheets from what is there; return what to say about them.

    Raises:
        OutputError: If they cannot be written, unless nothing else had to be: a finished sweep may
            lie on a read-only disk, or in another user's folder.
    """
    try:
        return [f"Contact sheet: {path}" for path in _draw_sheets(run)]
    except OutputError as error:
        if run.missing:
            raise
        return [f"No contact sheet was drawn. {error.message}"]


def _draw_sheets(run: SweepRun) -> tuple[Path, ...]:
    remove_leftovers(run.folder)  # of a process that was killed while it drew them
    manifest = Manifest(run.folder)
    manifest.refresh()
    order = _sheet_order([axis.name for axis in run.plan.axes])
    axes = [
        SheetAxis(name=axis.name, labels=axis.labels)
        for axis in (run.plan.axes[place] for place in order)
    ]
    cells = [
        _sheet_cell(
            tuple(cell.coordinates[place] for place in order), manifest.entry(key), run.folder
        )
        for cell, key in zip(run.plan.cells, run.cell_keys, strict=True)
    ]
    return write_contact_sheets(run.folder, axes, cells, plan=describe_plan(run.plan))


def _details(plan: SweepPlan[ResolvedRequest]) -> dict[ResolvedRequest, str]:
    """Return what tells each image from the others: its values of whatever varies."""
    details: dict[ResolvedRequest, str] = {}
    for cell in plan.cells:
        values = (
            axis.labels[place] if axis.name == "prompt" else f"{axis.name} {axis.labels[place]}"
            for axis, place in zip(plan.axes, cell.coordinates, strict=True)
        )
        details.setdefault(cell.request, ", ".join(values) or f"seed {cell.request.seed}")
    return details


def _sheet_order(names: Sequence[str]) -> list[int]:
    """Return the places of the axes as a contact sheet takes them, rows and columns last.

    Where the prompt would turn pages while the seed has a row or column, they change places:
    another prompt changes more of a picture than another seed.
    """
    places = range(len(names))
    if names[-1:] != ["seed"] or "prompt" not in names[:-2]:
        return list(places)
    prompt = names.index("prompt")
    *others, last, seed = (place for place in places if place != prompt)
    return [*others, seed, prompt, last]


def _sheet_cell(
    coordinates: tuple[int, ...], entry: Mapping[str, Any] | None, folder: Path
) -> SheetCell:
    image, note = None, "not drawn yet"
    match entry:
        case {"status": "done", "path": str(path)}:
            image, note = folder / path, ""
        case {"status": "failed", "error": {"message": message}}:
            note = f"failed: {message}"
        case _:
            pass
    return SheetCell(coordinates=coordinates, image=image, note=note)


def _write_plan(run: SweepRun) -> None:
    """Keep the plan beside the images, so that the folder's seeds are known later."""
    path = run.folder / PLAN_NAME
    data = json_format.dumps(describe_run(run), indent=1).encode() + b"\n"
    with output_errors(run.folder), staging_folder(run.folder) as staging:
        write_synced(staging / PLAN_NAME, data)
        (staging / PLAN_NAME).replace(path)
