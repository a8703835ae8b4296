"""Drawing one page of a contact sheet, with one picture open at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from sheepgen.metadata.image_file import UNREADABLE, open_image
from sheepgen.output.contact_sheet_paging import LINE_HEIGHT, NAME_HEIGHT
from sheepgen.output.contact_sheet_text import legible, wrap
from sheepgen.output.filmstrip import DETAIL_COLOUR, TITLE_COLOUR, new_card, thumbnail_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.output.contact_sheet_layout import Label, SheetPage
    from sheepgen.output.contact_sheet_paging import Box, Coordinates, Size

__all__ = ["SheetCell", "draw_page", "image_size"]

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


def draw_page(page: SheetPage, cells: Mapping[Coordinates, SheetCell]) -> Image.Image:
    """Draw labels and cells; a cell that is not there is drawn as an empty one.

    Returns:
        RGBA, of the size of the page.
    """
    card = new_card(page.size)
    draw = ImageDraw.Draw(card)
    for label in page.labels:
        _draw_label(draw, label)
    for slot in page.slots:
        _draw_cell(card, draw, slot.box, cells.get(slot.coordinates))
    return card


def image_size(path: Path) -> Size | None:
    """Return the size that an image file says it has, or None if it cannot be read."""
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
    """Return the fonts of values and of names."""
    return ImageFont.load_default(_VALUE_SIZE), ImageFont.load_default(_NAME_SIZE)
