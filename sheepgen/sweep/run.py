"""A planned sweep carried out: images, a manifest and contact sheets.

    plan = plan_sweep({"prompt": ["a red sheep"], "seed": [1, 2]}, Path("sheep"))
    for event in run_sweep(plan):
        ...

Run again, it generates what is missing. Several processes may share one folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError
from sheepgen.events import ContactSheetSaved, Notice
from sheepgen.execution.run import load_executor, make_images, prepare_folders
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output.atomic import remove_leftovers
from sheepgen.output.contact_sheet import (
    SheetAxis,
    SheetCell,
    check_contact_sheet,
    write_contact_sheets,
)
from sheepgen.output.manifest import Manifest
from sheepgen.sweep.folder import write_sweep
from sheepgen.sweep.grid import describe_grid
from sheepgen.sweep.plan import SweepPlan, plan_sweep

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from sheepgen.events import RunEvent

__all__ = ["SweepPlan", "plan_sweep", "run_sweep"]


def run_sweep(plan: SweepPlan, *, sheet: bool = True) -> Generator[RunEvent]:
    """Generate what is missing of a sweep, and write its contact sheet.

    An image that fails does not stop the others. Closing the generator stops the sweep; what is
    saved by then stays, and `plan_sweep` with the same values goes on.

    Args:
        plan: From `plan_sweep`.
        sheet: Whether there is to be a contact sheet.

    Yields:
        What `sheepgen.events` lists; `ImageSaved` or `RunFailed` is the last of each image, and
        `ContactSheetSaved` of each page comes at the end.

    Raises:
        UsageError: If the device does not go with the dtype.
        ModelError: If the first model is damaged.
        OutputError: If the disk is full, or the folder cannot be written to. The contact sheet of
            a finished sweep is not worth one: the sweep may be in another user's folder. Then a
            `Notice` says that there is none.
    """
    if plan.missing:
        if sheet:
            check_contact_sheet(plan.folder)
        folders = {plan.folder, *(plan.targets[request].folder for request in plan.missing)}
        yield from prepare_folders(folders)
        models = dict.fromkeys(request.model_reference for request in plan.missing)
        specs = {reference: plan.specs[reference] for reference in models}
        with WorkQueue(plan.folder, folders) as queue:
            write_sweep(plan.folder, plan.grid, Path(plan.layout.template.text).name)
            executor = yield from load_executor(
                specs, plan.settings, next(iter(plan.missing)).adapters
            )
            yield from make_images(plan.missing, executor, queue, plan.layout, plan.targets)
    if sheet:
        try:
            yield from _write_sheets(plan)
        except OutputError as error:
            if plan.missing:
                raise
            yield Notice(message=f"No contact sheet was written. {error.message}")


def _write_sheets(plan: SweepPlan) -> Iterator[ContactSheetSaved]:
    remove_leftovers(plan.folder)  # of a process that was killed while it wrote them
    manifest = Manifest(plan.folder)
    manifest.refresh()
    order = _sheet_order([axis.name for axis in plan.grid.axes])
    axes = [
        SheetAxis(name=axis.name, labels=axis.labels)
        for axis in (plan.grid.axes[index] for index in order)
    ]
    cells = [
        _sheet_cell(
            tuple(cell.coordinates[index] for index in order), manifest.entry(key), plan.folder
        )
        for cell, key in zip(plan.grid.cells, plan.cell_keys, strict=True)
    ]
    for path in write_contact_sheets(plan.folder, axes, cells, plan=describe_grid(plan.grid)):
        yield ContactSheetSaved(path=path)


def _sheet_order(names: Sequence[str]) -> list[int]:
    """Return the indices of the axes as a contact sheet takes them, rows and columns last.

    If the prompt would turn pages while the seed has a row or column, they change places: another
    prompt changes more of a picture than another seed.
    """
    indices = range(len(names))
    if names[-1:] != ["seed"] or "prompt" not in names[:-2]:
        return list(indices)
    prompt = names.index("prompt")
    *others, last, seed = (index for index in indices if index != prompt)
    return [*others, seed, prompt, last]


def _sheet_cell(
    coordinates: tuple[int, ...], entry: Mapping[str, Any] | None, folder: Path
) -> SheetCell:
    image, note = None, "not generated yet"
    match entry:
        case {"status": "done", "path": str(path)}:
            image, note = folder / path, ""
        case {"status": "failed", "error": {"message": message}}:
            note = f"failed: {message}"
        case _:
            pass
    return SheetCell(coordinates=coordinates, image=image, note=note)
