"""Where everything on a page of a contact sheet goes: arithmetic, without pictures and fonts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Literal, TypeAlias

from sheepgen.output.contact_sheet_paging import (
    LABEL_GAP,
    LINE_HEIGHT,
    MAX_GUTTER,
    MAX_LINES,
    MIN_CELL,
    MIN_TITLE_WIDTH,
    NAME_HEIGHT,
    Frame,
    paginate,
)
from sheepgen.output.contact_sheet_text import MISSING, legible
from sheepgen.output.filmstrip import GAP, MARGIN, MAX_THUMBNAIL, MIN_THUMBNAIL, thumbnail_size
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sheepgen.output.contact_sheet_paging import Box, Coordinates, Section, SheetAxis, Size

__all__ = ["Label", "SheetPage", "Slot", "lay_out"]

_ROOMS = (MAX_THUMBNAIL, 192, MIN_THUMBNAIL, MIN_CELL)
_CHARACTER = 10
"""Most characters are narrower. It decides how much room is kept, not where a line breaks."""
_MAX_PHRASE = 80
_LONE = ("", "image")

_Text: TypeAlias = tuple[str, str]
"""Name and value of a label."""
_Anchor: TypeAlias = Literal["lt", "mt", "mb", "rm"]
"""Left, middle or right; top, middle or bottom."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A name in small letters and a value below it; either may be empty.

    Args:
        name: In letters that the font has.
        value: Likewise. It is broken into the lines that the box has room for.
        box: What it may cover.
        anchor: Where in the box it is.
    """

    name: str
    value: str
    box: Box
    anchor: _Anchor


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """The place of one cell."""

    coordinates: Coordinates
    box: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetPage:
    """One picture of a contact sheet. No two boxes on it share a pixel.

    Args:
        number: From 1.
        pages: How many there are.
        size: Width and height.
        fixed: Labels by the names of the axes that have one value on this page.
        labels: Title, headings and captions.
        slots: Row by row.
    """

    number: int
    pages: int
    size: Size
    fixed: Mapping[str, str]
    labels: tuple[Label, ...]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Body:
    """What a page shows, cells row by row."""

    size: Size
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]


def lay_out(axes: Sequence[SheetAxis], sizes: Collection[Size]) -> list[SheetPage]:
    """Place every cell on a page: on the fewest pages, and there as large as can be.

    Args:
        axes: Each with at least one label; no axis makes one cell.
        sizes: Those of the pictures there are, in pixels.
    """
    choices = [(cell, paginate(axes, cell)) for cell in (_cell(sizes, room) for room in _ROOMS)]
    cell, sections = min(choices, key=lambda choice: len(choice[1]))
    return [
        _page(axes, section, cell, number=number, pages=len(sections))
        for number, section in enumerate(sections, 1)
    ]


def _cell(sizes: Collection[Size], room: int) -> Size:
    """Return the smallest cell that has room for each picture and for a label."""
    sizes = sizes or [(MIN_THUMBNAIL, MIN_THUMBNAIL)]
    widths, heights = zip(*(thumbnail_size(size, (room, room)) for size in sizes), strict=True)
    return max(MIN_CELL, *widths), max(MIN_CELL, *heights)


def _page(
    axes: Sequence[SheetAxis], section: Section, cell: Size, *, number: int, pages: int
) -> SheetPage:
    shown = [[_text(axes[place], index) for index in run] for place, run in section.shown.items()]
    fixed = [
        (axes[place], at) for place, at in enumerate(section.fixed) if place not in section.shown
    ]
    folio = f"page {number} of {pages}" if pages > 1 else ""
    match shown:
        case [rows, columns]:
            body = _table(rows, columns, cell)
        case _:
            body = _square(shown[0] if shown else [_LONE], cell)
    page = _titled(body, folio, ", ".join(_phrase(axis, at) for axis, at in fixed))
    return SheetPage(
        number=number,
        pages=pages,
        size=page.size,
        fixed={axis.name: axis.labels[at] for axis, at in fixed},
        labels=page.labels,
        slots=tuple(
            Slot(coordinates=coordinates, box=box)
            for coordinates, box in zip(section.coordinates, page.boxes, strict=True)
        ),
    )


def _table(rows: Sequence[_Text], columns: Sequence[_Text], cell: Size) -> _Body:
    longest = max(len(text) for texts in rows for text in texts)
    gutter = min(longest * _CHARACTER + GAP, MAX_GUTTER)
    heading = _label_height(columns, cell[0])
    frame = Frame(cell=cell, gutter=gutter, heading=heading + LABEL_GAP)
    boxes = tuple(frame.box(*place) for place in product(range(len(rows)), range(len(columns))))
    aside = ((MARGIN, top, left - GAP, low) for left, top, _, low in boxes[:: len(columns)])
    above = ((left, MARGIN, right, MARGIN + heading) for left, _, right, _ in boxes[: len(columns)])
    return _Body(
        size=frame.size(len(rows), len(columns)),
        boxes=boxes,
        labels=(*_labels(rows, aside, "rm"), *_labels(columns, above, "mb")),
    )


def _square(texts: Sequence[_Text], cell: Size) -> _Body:
    columns = math.ceil(math.sqrt(len(texts)))
    height = _label_height(texts, cell[0])
    frame = Frame(cell=cell, caption=LABEL_GAP + height)
    boxes = tuple(frame.box(*divmod(place, columns)) for place in range(len(texts)))
    below = (
        (left, low - height, right, low) for left, _, right, low in _lowered(boxes, frame.caption)
    )
    return _Body(
        size=frame.size(math.ceil(len(texts) / columns), columns),
        boxes=boxes,
        labels=_labels(texts, below, "mt"),
    )


def _titled(body: _Body, folio: str, title: str) -> _Body:
    """Put a title above everything, if there is anything to say."""
    if not (folio or title):
        return body
    width = max(body.size[0], MIN_TITLE_WIDTH)
    bottom = MARGIN + _label_height([(folio, title)], width - 2 * MARGIN)
    heading = _labels([(folio, title)], [(MARGIN, MARGIN, width - MARGIN, bottom)], "lt")
    drop = bottom - MARGIN + GAP
    lowered = _lowered([label.box for label in body.labels], drop)
    labels = (replace(label, box=box) for label, box in zip(body.labels, lowered, strict=True))
    return _Body(
        size=(width, body.size[1] + drop),
        boxes=_lowered(body.boxes, drop),
        labels=(*heading, *labels),
    )


def _lowered(boxes: Iterable[Box], drop: int) -> tuple[Box, ...]:
    return tuple((left, top + drop, right, low + drop) for left, top, right, low in boxes)


def _labels(texts: Iterable[_Text], boxes: Iterable[Box], anchor: _Anchor) -> tuple[Label, ...]:
    return tuple(
        Label(name=name, value=value, box=box, anchor=anchor)
        for (name, value), box in zip(texts, boxes, strict=True)
    )


def _label_height(texts: Sequence[_Text], width: int) -> int:
    """Return how high labels of this width are that stand side by side."""
    longest = max(len(value) for _, value in texts)
    lines = min(math.ceil(longest * _CHARACTER / width), MAX_LINES)
    return any(name for name, _ in texts) * NAME_HEIGHT + lines * LINE_HEIGHT


def _text(axis: SheetAxis, index: int) -> _Text:
    """Return name and value; the name is numbered where the value cannot be told by its letters."""
    name, value = legible(axis.name), legible(axis.labels[index])
    return (f"{name} #{index + 1}" if MISSING in value else name), value


def _phrase(axis: SheetAxis, index: int) -> str:
    name, value = _text(axis, index)
    return f"{name} {excerpt(value, _MAX_PHRASE)}"
