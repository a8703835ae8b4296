"""A planned sweep carried out: images, a manifest, contact sheets, a page and an animation.

    plan = plan_sweep({"prompt": ["a red sheep"], "seed": [1, 2]}, Path("sheep"))
    for event in run_sweep(plan):
        ...

Run again, it generates what is missing. Several processes may share one folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError
from sheepgen.events import AnimationSaved, ContactSheetSaved, Notice, SweepPageSaved
from sheepgen.execution.run import load_executor, make_images, prepare_folders
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output.atomic import remove_leftovers
from sheepgen.output.contact_sheet import SheetCell, check_contact_sheet, write_contact_sheets
from sheepgen.sanitize import joined, plural
from sheepgen.sweep.animation import SweepAnimation, check_animation, write_animation
from sheepgen.sweep.folder import write_sweep
from sheepgen.sweep.grid import describe_grid
from sheepgen.sweep.overview import read_overview
from sheepgen.sweep.page import check_sweep_page, write_sweep_page
from sheepgen.sweep.plan import SweepPlan, plan_sweep

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sheepgen.events import RunEvent
    from sheepgen.sweep.overview import Overview

__all__ = ["SweepPlan", "plan_sweep", "run_sweep"]


def run_sweep(
    plan: SweepPlan,
    *,
    sheet: bool = True,
    page: bool = False,
    animation: SweepAnimation | None = None,
) -> Generator[RunEvent]:
    """Generate what is missing of a sweep, and write its contact sheet, page and animation.

    An image that fails does not stop the others. Closing the generator stops the sweep; what is
    saved by then stays, and `plan_sweep` with the same values goes on.

    A shard writes no sheet, page or animation: a run of the whole sweep does, when all are done.

    Args:
        plan: From `plan_sweep`.
        sheet: Whether there is to be a contact sheet.
        page: Whether there is to be a page, see `sheepgen.sweep.page`.
        animation: Of all images in their order, as of a morph; None for none. It is left out, with
            a `Notice`, while some of them are missing.

    Yields:
        What `sheepgen.events` lists; `ImageSaved` or `RunFailed` is the last of each image, and
        `ContactSheetSaved` of each sheet, `SweepPageSaved` and `AnimationSaved` come at the end.

    Raises:
        UsageError: If the device does not go with the dtype.
        ModelError: If the first model is damaged.
        OutputError: If the disk is full, the folder cannot be written to, or it has an animation of
            other images and ``settings.overwrite`` is off. The contact sheet of a finished sweep
            is not worth one: the sweep may be in another user's folder. Then a `Notice` says that
            there is none.
    """
    if plan.shard is not None:
        yield from _left_for_later(sheet=sheet, page=page, animation=animation is not None)
        sheet, page, animation = False, False, None
    if page:
        check_sweep_page(plan.folder)
    if animation:
        overview = read_overview(plan)
        check_animation(plan.folder, overview, animation, overwrite=plan.layout.overwrite)
    if plan.missing:
        if sheet:
            check_contact_sheet(plan.folder)
        folders = {plan.folder, *(plan.targets[request].folder for request in plan.missing)}
        yield from prepare_folders(folders, plan.shard)
        models = dict.fromkeys(request.model_reference for request in plan.missing)
        specs = {reference: plan.specs[reference] for reference in models}
        with WorkQueue(plan.folder, folders, shard=plan.shard, manifest=plan.manifest) as queue:
            write_sweep(plan.folder, plan.grid, Path(plan.layout.template.text).name)
            executor = yield from load_executor(specs, plan.settings, [next(iter(plan.missing))])
            yield from make_images(plan.missing, executor, queue, plan.layout, plan.targets)
    if not (sheet or page or animation):
        return
    overview = read_overview(plan)
    if sheet:
        try:
            yield from _write_sheets(plan, overview)
        except OutputError as error:
            if plan.missing:
                raise
            yield Notice(message=f"No contact sheet was written. {error.message}")
    if page:
        yield SweepPageSaved(path=write_sweep_page(plan.folder, overview))
    if animation and (missing := sum(image.path is None for image in overview.images)):
        yield Notice(message=f"No animation was written: {plural(missing, 'image')} of it missing.")
    elif animation:
        path = write_animation(plan.folder, overview, animation, overwrite=plan.layout.overwrite)
        yield AnimationSaved(path=path)


def _left_for_later(*, sheet: bool, page: bool, animation: bool) -> Iterator[Notice]:
    """Say what a shard does not write, as it shows the images of all of them."""
    wanted = {"contact sheet": sheet, "page": page, "animation": animation}
    if names := [name for name, is_wanted in wanted.items() if is_wanted]:
        yield Notice(
            message=f"A shard writes no {joined(names, 'or')}: run the same command without "
            "--shard when all shards are done."
        )


def _write_sheets(plan: SweepPlan, overview: Overview) -> Iterator[ContactSheetSaved]:
    remove_leftovers(plan.folder)  # of a process that was killed while it wrote them
    cells = [
        SheetCell(coordinates=image.coordinates, image=image.path, note=image.note)
        for image in overview.images
    ]
    described = describe_grid(plan.grid)
    for path in write_contact_sheets(plan.folder, overview.axes, cells, plan=described):
        yield ContactSheetSaved(path=path)
