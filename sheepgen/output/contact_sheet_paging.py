"""Which cells of a sweep share a page of its contact sheet, and how large a page is.

The last two axes with several values are the rows and the columns of a page. Those before them
turn the pages, and so do values too many for one page. A single axis is wrapped into a square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from sheepgen.output.filmstrip import GAP, MARGIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "LABEL_GAP",
    "LINE_HEIGHT",
    "MAX_GUTTER",
    "MAX_LINES",
    "MAX_PIXELS",
    "MAX_SIDE",
    "MIN_CELL",
    "MIN_TITLE_WIDTH",
    "NAME_HEIGHT",
    "Box",
    "Coordinates",
    "Frame",
    "Section",
    "SheetAxis",
    "Size",
    "chunks",
    "paginate",
]

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are just outside."""
Coordinates: TypeAlias = tuple[int, ...]
"""The index of a value on every axis."""

MAX_SIDE = 8_000
MAX_PIXELS = 40_000_000
MIN_CELL = 96

NAME_HEIGHT = 18
LINE_HEIGHT = 20
MAX_LINES = 2
LABEL_GAP = 6
MAX_GUTTER = 240
MIN_TITLE_WIDTH = 360

_MAX_LABEL = NAME_HEIGHT + MAX_LINES * LINE_HEIGHT + LABEL_GAP
_MAX_TITLE = NAME_HEIGHT + MAX_LINES * LINE_HEIGHT + GAP


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetAxis:
    """One thing that a sweep varies: its name, and its values as people read them."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The cells of a page and the room around them, in pixels.

    Args:
        cell: Width and height of each cell.
        gutter: Left of all cells, for the labels of rows.
        heading: Above all cells, for the labels of columns.
        caption: Below each cell, for its own label.
    """

    cell: Size
    gutter: int = 0
    heading: int = 0
    caption: int = 0

    def box(self, row: int, column: int) -> Box:
        """Return where a cell is."""
        width, height = self.cell
        left = MARGIN + self.gutter + column * (width + GAP)
        top = MARGIN + self.heading + row * (height + self.caption + GAP)
        return left, top, left + width, top + height

    def size(self, rows: int, columns: int) -> Size:
        """Return the size of a page of so many cells, margins included."""
        *_, right, bottom = self.box(rows - 1, columns - 1)
        return right + MARGIN, bottom + self.caption + MARGIN

    def fits(self, rows: int, columns: int) -> bool:
        """Return whether so many cells are within what a page may have."""
        width, height = self.size(rows, columns)
        width = max(width, MIN_TITLE_WIDTH)
        return max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """What one page shows of a sweep.

    Args:
        shown: Indices of values by the place of their axis: those of the rows, then of the
            columns; or of one axis alone, or of none.
        fixed: The index on each axis; 0 on those that are shown.
    """

    shown: Mapping[int, range]
    fixed: Coordinates

    @property
    def coordinates(self) -> list[Coordinates]:
        """The cells, row by row."""
        places = enumerate(self.fixed)
        return list(product(*(self.shown.get(place, (index,)) for place, index in places)))


def paginate(axes: Sequence[SheetAxis], cell: Size) -> list[Section]:
    """Split a sweep into as few pages as cells of this size allow.

    Args:
        axes: Each with at least one label.
        cell: At most 256 by 256 pixels, so that a page has room for at least one.
    """
    inner = [place for place, axis in enumerate(axes) if len(axis.labels) > 1][-2:]
    outer = [range(1 if place in inner else len(axis.labels)) for place, axis in enumerate(axes)]
    spans = _spans([len(axes[place].labels) for place in inner], cell)
    return [
        Section(shown=dict(zip(inner, span, strict=True)), fixed=fixed)
        for fixed, span in product(product(*outer), spans)
    ]


def chunks(count: int, limit: int) -> list[range]:
    """Split ``range(count)`` into the fewest runs of at most ``limit``, as even as can be."""
    parts = math.ceil(count / limit)
    return [range(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def _spans(counts: Sequence[int], cell: Size) -> list[tuple[range, ...]]:
    """Return the pages that the inner axes make, with room for labels of any length."""
    tries = range(MAX_SIDE // MIN_CELL, 0, -1)
    match counts:
        case [rows, columns]:
            frame = Frame(cell=cell, gutter=MAX_GUTTER, heading=_MAX_TITLE + _MAX_LABEL)
            wide = chunks(columns, next(some for some in tries if frame.fits(1, some)))
            widest = max(map(len, wide))
            high = chunks(rows, next(some for some in tries if frame.fits(some, widest)))
            return list(product(high, wide))
        case [count]:
            frame = Frame(cell=cell, heading=_MAX_TITLE, caption=_MAX_LABEL)
            side = next(some for some in tries if frame.fits(some, some))
            return [(run,) for run in chunks(count, side**2)]
        case _:
            return [()]
