"""The contact sheet: all images of a sweep side by side, labelled with the values they differ in.

    contact_sheet.png     the first page
    contact_sheet_2.png   the second ...

Every page carries, as PNG text `sheepgen-sweep`, the plan of the sweep and its page number. That
text also shows that a file is an earlier sheet, which is replaced; other files never are.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from sheepgen.errors import OutputError
from sheepgen.metadata.image_file import UNREADABLE, encode_image, open_image
from sheepgen.metadata.image_texts import read_texts
from sheepgen.output.atomic import (
    make_folder,
    output_errors,
    staging_folder,
    sync_folder,
    write_synced,
)
from sheepgen.output.card import (
    DETAIL_COLOUR,
    TITLE_COLOUR,
    legible,
    new_card,
    thumbnail_size,
    wrap,
)
from sheepgen.output.grid import LINE_HEIGHT, NAME_HEIGHT, SheetAxis, lay_out
from sheepgen.output.locks import lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from sheepgen.output.grid import Box, Coordinates, Label, SheetPage, Size

__all__ = [
    "SWEEP_KEY",
    "SheetAxis",
    "SheetCell",
    "check_contact_sheet",
    "draw_page",
    "write_contact_sheets",
]

SWEEP_KEY = "sheepgen-sweep"

_STEM = "contact_sheet"

_FAILED_COLOUR = (214, 84, 84, 255)
_OUTLINE_COLOUR = (62, 66, 78, 255)
_VALUE_SIZE = 16
_NAME_SIZE = 14
_CROSS = 10
_PADDING = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetCell:
    """One image of a sweep, or why there is none.

    Args:
        coordinates: The index of its value on every axis.
        image: A PNG, JPEG or WebP.
        note: Why there is no image. If it begins with ``failed``, the cell is marked with a
            cross and the rest of the note; otherwise it stays empty.
    """

    coordinates: Coordinates
    image: Path | None = None
    note: str = ""


def check_contact_sheet(folder: Path) -> None:
    """Refuse a folder, before images are generated, if a contact sheet cannot be saved there.

    Raises:
        OutputError: If another file has the name of its first page.
    """
    _refuse_other_files([folder / _name(_STEM, 1)])


def write_contact_sheets(
    folder: Path,
    axes: Sequence[SheetAxis],
    cells: Iterable[SheetCell],
    *,
    plan: Mapping[str, Any],
    stem: str = _STEM,
) -> tuple[Path, ...]:
    """Draw all cells, on as many pages as they need, in place of an earlier sheet.

    The first page is moved into place last: once it is there, all are. One page and one image are
    in memory at a time, an unreadable image is marked, and the same cells give the same bytes.

    Args:
        folder: Created if needed.
        axes: Slowest first; the last two that have several values are rows and columns.
        cells: At most one for each combination of values; one that is missing stays empty.
        plan: Plain JSON values; written into every page.
        stem: What the file names begin with.

    Returns:
        The pages in order.

    Raises:
        OutputError: If another file has the name of a page, or the folder cannot be written to;
            nothing incomplete is left there.
    """
    by_coordinates = {cell.coordinates: cell for cell in cells}
    images = (cell.image for cell in by_coordinates.values() if cell.image is not None)
    pages = lay_out(axes, {size for path in images if (size := _image_size(path)) is not None})
    paths = tuple(folder / _name(stem, page.number) for page in pages)
    make_folder(folder)
    _refuse_other_files(paths)
    with output_errors(folder), staging_folder(folder) as staging:
        for page, path in zip(pages, paths, strict=True):
            write_synced(staging / path.name, _encode(draw_page(page, by_coordinates), page, plan))
        with lock_folder(folder):
            _refuse_other_files(paths)  # again, as time has passed
            for path in reversed(paths):
                (staging / path.name).rename(path)
            for path in _further_pages(folder, stem, len(pages)):
                path.unlink()
            sync_folder(folder)
    return paths


def _name(stem: str, number: int) -> str:
    return f"{stem}.png" if number == 1 else f"{stem}_{number}.png"


def _encode(image: Image.Image, page: SheetPage, plan: Mapping[str, Any]) -> bytes:
    text = {"plan": plan, "page": page.number, "pages": page.pages, "fixed": page.fixed}
    texts = {SWEEP_KEY: json.dumps(text, separators=(",", ":"))}
    return encode_image(image, None, ".png", texts=texts)


def _refuse_other_files(paths: Iterable[Path]) -> None:
    for path in paths:
        if os.path.lexists(path) and not _is_contact_sheet(path):
            raise OutputError(
                f"{path} already exists and is not a contact sheet of a sweep.",
                "Move it, or choose another folder with --output.",
            )


def _further_pages(folder: Path, stem: str, pages: int) -> list[Path]:
    """Return the pages left over from an earlier, larger sheet."""
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


def draw_page(page: SheetPage, cells: Mapping[Coordinates, SheetCell]) -> Image.Image:
    """Draw labels and cells; a missing cell is drawn as an empty one.

    Returns:
        RGBA, of the size of the page.
    """
    card = new_card(page.size)
    draw = ImageDraw.Draw(card)
    for label in page.labels:
        _draw_label(draw, label)
    for coordinates, box in page.cells.items():
        _draw_cell(card, draw, box, cells.get(coordinates))
    return card


def _image_size(path: Path) -> Size | None:
    """Return the size that an image file states, or None if it cannot be read."""
    try:
        with open_image(path) as image:
            return image.size
    except UNREADABLE:
        return None


def _thumbnail(path: Path, room: Size) -> Image.Image | None:
    try:
        with open_image(path) as image:
            size = thumbnail_size(image.size, room)
            enlarged = size[0] > image.width
            resample = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
            return image.convert("RGB").resize(size, resample)
    except UNREADABLE:
        return None


def _draw_cell(
    card: Image.Image, draw: ImageDraw.ImageDraw, box: Box, cell: SheetCell | None
) -> None:
    left, top, right, bottom = box
    if cell is not None and cell.image is not None:
        picture = _thumbnail(cell.image, (right - left, bottom - top))
        if picture is None:
            _draw_failed(draw, box, "the file cannot be read")
        else:
            middle = (left + right - picture.width) // 2, (top + bottom - picture.height) // 2
            card.paste(picture, middle)
    elif cell is not None and cell.note.startswith("failed"):
        _draw_failed(draw, box, cell.note.removeprefix("failed").lstrip(": "))
    else:
        draw.rectangle((left, top, right - 1, bottom - 1), outline=_OUTLINE_COLOUR)


def _draw_failed(draw: ImageDraw.ImageDraw, box: Box, reason: str) -> None:
    """Draw a cross and the reason below it, in the middle of the box."""
    left, top, right, bottom = box
    draw.rectangle((left, top, right - 1, bottom - 1), outline=_FAILED_COLOUR)
    _, font = _fonts()
    room = (bottom - top - 2 * (_CROSS + _PADDING)) // NAME_HEIGHT - 1
    lines = wrap(legible(reason), right - left - 2 * _PADDING, room, font.getlength)
    x = (left + right) // 2
    y = (top + bottom - NAME_HEIGHT * len(lines)) // 2
    for slope in (1, -1):
        ends = (x - _CROSS, y - slope * _CROSS, x + _CROSS, y + slope * _CROSS)
        draw.line(ends, _FAILED_COLOUR, width=3)
    y += _CROSS + _PADDING + NAME_HEIGHT // 2
    for number, line in enumerate(lines):
        draw.text((x, y + number * NAME_HEIGHT), line, DETAIL_COLOUR, font, anchor="mm")


def _draw_label(draw: ImageDraw.ImageDraw, label: Label) -> None:
    left, top, right, bottom = label.box
    value_font, name_font = _fonts()
    name_height = NAME_HEIGHT if label.name else 0
    room = (bottom - top - name_height) // LINE_HEIGHT
    name = wrap(label.name, right - left, 1, name_font.getlength)
    values = wrap(label.value, right - left, room, value_font.getlength) if room else []
    spare = bottom - top - name_height - LINE_HEIGHT * len(values)
    x = {"l": left, "m": (left + right) // 2, "r": right}[label.anchor[0]]
    y = top + {"t": 0, "m": spare // 2, "b": spare}[label.anchor[1]]
    draw.text((x, y + NAME_HEIGHT // 2), name[0], DETAIL_COLOUR, name_font, label.anchor[0] + "m")
    y += name_height + LINE_HEIGHT // 2
    for number, line in enumerate(values):
        place = (x, y + number * LINE_HEIGHT)
        draw.text(place, line, TITLE_COLOUR, value_font, label.anchor[0] + "m")


@cache
def _fonts() -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, ...]:
    """Return the fonts for values and for names."""
    return ImageFont.load_default(_VALUE_SIZE), ImageFont.load_default(_NAME_SIZE)
