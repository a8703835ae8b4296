"""The sheet of a run: a row for each image, and in it how the image came out of the noise.

    digits_1_sheet.png     beside the first image, the first page
    digits_1_sheet_2.png   the second ...

It shows frames that are saved; if none are, the images alone, in a square.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sheepgen.branch import describe_branch
from sheepgen.output.contact_sheet import SheetAxis, SheetCell, write_contact_sheets
from sheepgen.output.filmstrip import MAX_COLUMNS, spread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sheepgen.events import ImageSaved

__all__ = ["write_step_sheet"]


def write_step_sheet(saved: Sequence[ImageSaved]) -> tuple[Path, ...]:
    """Draw a sheet of images that differ in their seeds or branches, beside the first of them.

    Args:
        saved: At least one. Those with frames all have as many.

    Returns:
        The pages in order.

    Raises:
        OutputError: If another file has the name of a page, or the folder cannot be written to.
    """
    first = saved[0]
    rows = [_pictures(each) for each in saved]
    seeds = tuple(str(each.request.seed) for each in saved)
    branches = tuple(describe_branch(each.request.branch) for each in saved)
    axes = (
        SheetAxis(name="branch", labels=branches)
        if len(set(branches)) > 1
        else SheetAxis(name="seed", labels=seeds),
        SheetAxis(name="step", labels=tuple(rows[0])),
    )
    cells = [
        SheetCell(coordinates=(row, column), image=path)
        for row, pictures in enumerate(rows)
        for column, path in enumerate(pictures.values())
    ]
    plan = {
        "axes": [{"name": axis.name, "values": list(axis.labels)} for axis in axes],
        "cells": len(cells),
        "first_request": asdict(first.request),
    }
    stem = f"{first.path.stem}_sheet"
    return write_contact_sheets(first.path.parent, axes, cells, plan=plan, stem=stem)


def _pictures(saved: ImageSaved) -> dict[str, Path]:
    """Return the pictures of a row by their labels: some of the steps, then the image."""
    pictures: dict[str, Path] = {}
    if (folder := saved.artifacts.get("frames")) is not None:
        frames = sorted(folder.glob("step_*.png"))
        for place in spread(len(frames), MAX_COLUMNS - 1):
            step = int(frames[place].stem.removeprefix("step_"))
            pictures["start" if step == 0 else str(step)] = frames[place]
    return {**pictures, "image": saved.path}
