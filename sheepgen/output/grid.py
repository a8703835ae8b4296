"""Pages of a contact sheet: which images share a page, and where everything on it goes.

Arithmetic only, without pictures and fonts. The last two axes with several values are the rows and
the columns of a page. Every value of the axes before them gets a page of its own, and so do values
too many for one page. A single axis is wrapped into a square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Literal, TypeAlias

from sheepgen.output.card import (
    GAP,
    MARGIN,
    MAX_THUMBNAIL,
    MIN_THUMBNAIL,
    MISSING,
    legible,
    thumbnail_size,
)
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = [
    "LINE_HEIGHT",
    "MAX_PIXELS",
    "MAX_SIDE",
    "NAME_HEIGHT",
    "Box",
    "Coordinates",
    "Label",
    "SheetAxis",
    "SheetPage",
    "Size",
    "chunks",
    "lay_out",
]

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are just outside."""
Coordinates: TypeAlias = tuple[int, ...]
"""The index of a value on every axis."""

_Text: TypeAlias = tuple[str, str]  # name and value of a label
_Anchor: TypeAlias = Literal["lt", "mt", "mb", "rm"]  # left, middle, right; top, middle, bottom

MAX_SIDE = 8_000
MAX_PIXELS = 40_000_000
_MIN_CELL = 96
NAME_HEIGHT = 18
LINE_HEIGHT = 20
_MAX_LINES = 2
_LABEL_GAP = 6
_MAX_GUTTER = 240
_MIN_TITLE_WIDTH = 360
_MAX_LABEL = NAME_HEIGHT + _MAX_LINES * LINE_HEIGHT + _LABEL_GAP
_MAX_TITLE = NAME_HEIGHT + _MAX_LINES * LINE_HEIGHT + GAP
_ROOMS = (MAX_THUMBNAIL, 192, MIN_THUMBNAIL, _MIN_CELL)
_CHARACTER = 10
"""Width that is reserved for a character; most are narrower."""
_MAX_PHRASE = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetAxis:
    """A field that a sweep varies: its name, and its values as people read them."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A name in small type and a value below it, `legible`; either may be empty.

    The value is broken into the lines that the box has room for.
    """

    name: str
    value: str
    box: Box
    anchor: _Anchor


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetPage:
    """One page of a contact sheet. No two boxes on it share a pixel.

    Args:
        number: From 1.
        pages: How many there are.
        size: Width and height.
        fixed: Labels by the names of the axes that have one value on this page.
        labels: Title, headings and captions.
        cells: Where each image goes, row by row.
    """

    number: int
    pages: int
    size: Size
    fixed: Mapping[str, str]
    labels: tuple[Label, ...]
    cells: Mapping[Coordinates, Box]


@dataclass(frozen=True, kw_only=True, slots=True)
class _CellGrid:
    """The cells of a page and the room around them, in pixels.

    Args:
        cell: Width and height of each cell.
        gutter: Left of all cells, for the labels of rows.
        heading: Above all cells, for the labels of columns.
        caption: Below each cell, for its own label.
        top: Above everything, for the title.
    """

    cell: Size
    gutter: int = 0
    heading: int = 0
    caption: int = 0
    top: int = 0

    def box(self, row: int, column: int) -> Box:
        """Return where a cell is."""
        width, height = self.cell
        left = MARGIN + self.gutter + column * (width + GAP)
        top = MARGIN + self.top + self.heading + row * (height + self.caption + GAP)
        return left, top, left + width, top + height

    def size(self, rows: int, columns: int) -> Size:
        """Return the size of a page, margins included."""
        *_, right, bottom = self.box(rows - 1, columns - 1)
        return right + MARGIN, bottom + self.caption + MARGIN

    def fits(self, rows: int, columns: int) -> bool:
        """Return whether a page of so many cells is within the limits."""
        width, height = self.size(rows, columns)
        width = max(width, _MIN_TITLE_WIDTH)
        return max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS


@dataclass(frozen=True, kw_only=True, slots=True)
class _Section:
    """What one page shows of a sweep.

    ``shown`` has the indices of values by the number of their axis: of the rows and the columns,
    of one axis alone, or of none. ``fixed`` has the index on every axis, 0 on those shown.
    """

    shown: Mapping[int, range]
    fixed: Coordinates

    def coordinates(self) -> list[Coordinates]:
        """Return the cells, row by row."""
        places = enumerate(self.fixed)
        return list(product(*(self.shown.get(place, (index,)) for place, index in places)))


def lay_out(axes: Sequence[SheetAxis], sizes: Collection[Size]) -> list[SheetPage]:
    """Place every cell on as few pages as possible, and there as large as possible.

    Args:
        axes: Each with at least one label; no axis gives one cell.
        sizes: Of the existing images, in pixels.
    """
    choices = [(cell, _paginate(axes, cell)) for cell in (_cell(sizes, room) for room in _ROOMS)]
    cell, sections = min(choices, key=lambda choice: len(choice[1]))
    return [
        _page(axes, section, cell, number=number, pages=len(sections))
        for number, section in enumerate(sections, 1)
    ]


def _paginate(axes: Sequence[SheetAxis], cell: Size) -> list[_Section]:
    """Split a sweep into as few pages as cells of this size (at most 256 by 256) allow."""
    inner = [place for place, axis in enumerate(axes) if len(axis.labels) > 1][-2:]
    outer = [range(1 if place in inner else len(axis.labels)) for place, axis in enumerate(axes)]
    spans = _spans([len(axes[place].labels) for place in inner], cell)
    return [
        _Section(shown=dict(zip(inner, span, strict=True)), fixed=fixed)
        for fixed, span in product(product(*outer), spans)
    ]


def chunks(count: int, limit: int) -> list[range]:
    """Split ``range(count)`` into the fewest runs of at most ``limit``, as even as possible."""
    parts = math.ceil(count / limit)
    return [range(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def _spans(counts: Sequence[int], cell: Size) -> list[tuple[range, ...]]:
    """Return the pages that the inner axes make, with room for labels of any length."""
    tries = range(MAX_SIDE // _MIN_CELL, 0, -1)
    match counts:
        case [rows, columns]:
            grid = _CellGrid(cell=cell, gutter=_MAX_GUTTER, heading=_MAX_TITLE + _MAX_LABEL)
            wide = chunks(columns, next(some for some in tries if grid.fits(1, some)))
            widest = max(map(len, wide))
            high = chunks(rows, next(some for some in tries if grid.fits(some, widest)))
            return list(product(high, wide))
        case [count]:
            grid = _CellGrid(cell=cell, heading=_MAX_TITLE, caption=_MAX_LABEL)
            side = next(some for some in tries if grid.fits(some, some))
            return [(run,) for run in chunks(count, side**2)]
        case _:
            return [()]


def _cell(sizes: Collection[Size], room: int) -> Size:
    """Return the smallest cell that has room for each picture and for a label."""
    sizes = sizes or [(MIN_THUMBNAIL, MIN_THUMBNAIL)]
    widths, heights = zip(*(thumbnail_size(size, (room, room)) for size in sizes), strict=True)
    return max(_MIN_CELL, *widths), max(_MIN_CELL, *heights)


def _page(
    axes: Sequence[SheetAxis], section: _Section, cell: Size, *, number: int, pages: int
) -> SheetPage:
    shown = [[_text(axes[place], index) for index in run] for place, run in section.shown.items()]
    fixed = [
        (axes[place], at) for place, at in enumerate(section.fixed) if place not in section.shown
    ]
    match shown:
        case [rows, columns]:
            shape = len(rows), len(columns)
            longest = max(len(text) for texts in rows for text in texts)
            grid = _CellGrid(
                cell=cell,
                gutter=min(longest * _CHARACTER + GAP, _MAX_GUTTER),
                heading=_label_height(columns, cell[0]) + _LABEL_GAP,
            )
        case _:
            rows, columns = [], shown[0] if shown else [("", "image")]
            side = math.ceil(math.sqrt(len(columns)))
            shape = math.ceil(len(columns) / side), side
            grid = _CellGrid(cell=cell, caption=_LABEL_GAP + _label_height(columns, cell[0]))
    folio = f"page {number} of {pages}" if pages > 1 else ""
    title = folio, ", ".join(_phrase(axis, at) for axis, at in fixed)
    width, height = grid.size(*shape)
    labels: list[Label] = []
    if any(title):
        width = max(width, _MIN_TITLE_WIDTH)
        title_height = _label_height([title], width - 2 * MARGIN)
        box = MARGIN, MARGIN, width - MARGIN, MARGIN + title_height
        labels += _labels([title], [box], "lt")
        grid = replace(grid, top=title_height + GAP)
        height += grid.top
    places = range(math.prod(shape) if rows else len(columns))
    boxes = [grid.box(*divmod(place, shape[1])) for place in places]
    if rows:
        beside = [(MARGIN, top, left - GAP, low) for left, top, _, low in boxes[:: shape[1]]]
        top = MARGIN + grid.top
        low = top + grid.heading - _LABEL_GAP
        above = [(left, top, right, low) for left, _, right, _ in boxes[: shape[1]]]
        labels += _labels(rows, beside, "rm") + _labels(columns, above, "mb")
    else:
        down = grid.caption
        below = [(left, low + _LABEL_GAP, right, low + down) for left, _, right, low in boxes]
        labels += _labels(columns, below, "mt")
    return SheetPage(
        number=number,
        pages=pages,
        size=(width, height),
        fixed={axis.name: axis.labels[at] for axis, at in fixed},
        labels=tuple(labels),
        cells=dict(zip(section.coordinates(), boxes, strict=True)),
    )


def _labels(texts: Iterable[_Text], boxes: Iterable[Box], anchor: _Anchor) -> list[Label]:
    return [
        Label(name=name, value=value, box=box, anchor=anchor)
        for (name, value), box in zip(texts, boxes, strict=True)
    ]


def _label_height(texts: Sequence[_Text], width: int) -> int:
    """Return the height of labels of this width that stand side by side."""
    longest = max(len(value) for _, value in texts)
    lines = min(math.ceil(longest * _CHARACTER / width), _MAX_LINES)
    return any(name for name, _ in texts) * NAME_HEIGHT + lines * LINE_HEIGHT


def _text(axis: SheetAxis, index: int) -> _Text:
    """Return name and value, the name numbered if the font cannot show the value."""
    name, value = legible(axis.name), legible(axis.labels[index])
    return (f"{name} #{index + 1}" if MISSING in value else name), value


def _phrase(axis: SheetAxis, index: int) -> str:
    name, value = _text(axis, index)
    return f"{name} {excerpt(value, _MAX_PHRASE)}"
