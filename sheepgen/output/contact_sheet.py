"""The contact sheet: all images of a sweep side by side, under the values that made them.

    contact_sheet.png     the first page
    contact_sheet_2.png   the second ...

Every page carries, as PNG text `sheepgen-sweep`, the plan of the sweep and which page it is. That
text also tells an earlier sheet, which is replaced, from a stranger's file, which never is.
"""

from __future__ import annotations

import io
import json
import os
import re
from typing import TYPE_CHECKING, Any

from PIL.PngImagePlugin import PngInfo

from sheepgen.errors import OutputError
from sheepgen.metadata.image_texts import read_texts
from sheepgen.output.atomic import (
    make_folder,
    output_errors,
    staging_folder,
    sync_folder,
    write_synced,
)
from sheepgen.output.contact_sheet_drawing import SheetCell, draw_page, image_size
from sheepgen.output.contact_sheet_layout import lay_out
from sheepgen.output.contact_sheet_paging import SheetAxis
from sheepgen.output.locks import lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from sheepgen.output.contact_sheet_layout import SheetPage

__all__ = [
    "SWEEP_KEY",
    "SheetAxis",
    "SheetCell",
    "check_contact_sheet",
    "write_contact_sheets",
]

SWEEP_KEY = "sheepgen-sweep"

_PNG_EFFORT = 3
"""Of 9, as for every image."""


_STEM = "contact_sheet"


def check_contact_sheet(folder: Path) -> None:
    """Make sure, before images are drawn for it, that there may be a contact sheet.

    Raises:
        OutputError: If a file that is no contact sheet has the name of its first page.
    """
    _refuse_strangers([folder / _name(_STEM, 1)])


def write_contact_sheets(
    folder: Path,
    axes: Sequence[SheetAxis],
    cells: Iterable[SheetCell],
    *,
    plan: Mapping[str, Any],
    stem: str = _STEM,
) -> tuple[Path, ...]:
    """Draw all cells, on as many pages as they need, in place of an earlier sheet.

    The first page appears last: where it is, all are. One page and one image are in memory at a
    time, an image that cannot be read is marked, and the same cells give the same bytes.

    Args:
        folder: Made if it is not there.
        axes: Costly ones first; the last two that have several values are rows and columns.
        cells: At most one for each place; a place without one stays empty.
        plan: Plain JSON values; written into every page.
        stem: Of the files' names.

    Returns:
        The pages in their order.

    Raises:
        OutputError: If a file that is no contact sheet has the name of a page, or the folder
            cannot be written to. Nothing half-made stays there.
    """
    by_place = {cell.coordinates: cell for cell in cells}
    images = (cell.image for cell in by_place.values() if cell.image is not None)
    pages = lay_out(axes, {size for path in images if (size := image_size(path)) is not None})
    paths = tuple(folder / _name(stem, page.number) for page in pages)
    make_folder(folder)
    _refuse_strangers(paths)
    with output_errors(folder), staging_folder(folder) as staging:
        for page, path in zip(pages, paths, strict=True):
            write_synced(staging / path.name, _encode(draw_page(page, by_place), page, plan))
        with lock_folder(folder):
            _refuse_strangers(paths)  # again, as drawing took its time
            for path in reversed(paths):
                (staging / path.name).rename(path)
            for path in _further_pages(folder, stem, len(pages)):
                path.unlink()
            sync_folder(folder)
    return paths


def _name(stem: str, number: int) -> str:
    return f"{stem}.png" if number == 1 else f"{stem}_{number}.png"


def _encode(image: Image, page: SheetPage, plan: Mapping[str, Any]) -> bytes:
    text = {"plan": plan, "page": page.number, "pages": page.pages, "fixed": page.fixed}
    info = PngInfo()
    info.add_text(SWEEP_KEY, json.dumps(text, separators=(",", ":")))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info, compress_level=_PNG_EFFORT)
    return buffer.getvalue()


def _refuse_strangers(paths: Iterable[Path]) -> None:
    for path in paths:
        if os.path.lexists(path) and not _is_contact_sheet(path):
            raise OutputError(
                f"{path} is in the way of the contact sheet and was not made by a sweep.",
                "Move it, or choose another folder with --output.",
            )


def _further_pages(folder: Path, stem: str, pages: int) -> list[Path]:
    """Return the pages that an earlier, larger sheet has left behind."""
    name = re.compile(re.escape(stem) + r"_([2-9]|[1-9][0-9]{1,8})\.png")
    numbered = ((path, name.fullmatch(path.name)) for path in folder.iterdir())
    return [
        path
        for path, match in numbered
        if match and int(match[1]) > pages and _is_contact_sheet(path)
    ]


def _is_contact_sheet(path: Path) -> bool:
    try:
        found = read_texts(path)
    except OutputError:
        return False
    return SWEEP_KEY in found.texts or SWEEP_KEY in found.too_large
