from __future__ import annotations

import itertools
import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.output.grid import (
    MAX_PIXELS,
    MAX_SIDE,
    Box,
    SheetAxis,
    SheetPage,
    chunks,
    lay_out,
)


def axes(*counts: int, label: str = "") -> list[SheetAxis]:
    return [
        SheetAxis(name=f"axis{place}", labels=tuple(f"{label}{i}" for i in range(count)))
        for place, count in enumerate(counts)
    ]


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def boxes(page: SheetPage) -> list[Box]:
    return [label.box for label in page.labels] + list(page.cells.values())


def first_cell(pages: list[SheetPage]) -> Box:
    return next(iter(pages[0].cells.values()))


def shape(page: SheetPage) -> tuple[int, int]:
    """Return how many rows and columns there are."""
    tops, lefts = ({box[side] for box in page.cells.values()} for side in (1, 0))
    return len(tops), len(lefts)


@given(st.integers(1, 5000), st.integers(1, 100))
def test_runs_are_the_fewest_and_even(count: int, limit: int) -> None:
    runs = chunks(count, limit)
    assert [index for run in runs for index in run] == list(range(count))
    assert len(runs) == math.ceil(count / limit)
    lengths = {len(run) for run in runs}
    assert max(lengths) <= limit
    assert max(lengths) - min(lengths) <= 1


counts = st.lists(st.integers(1, 4), max_size=4) | st.lists(st.integers(1, 120), max_size=2)
sizes = st.sets(st.tuples(st.integers(1, 2048), st.integers(1, 2048)), max_size=3)


@given(counts, sizes)
def test_every_cell_is_on_one_page_and_no_page_is_too_large(
    lengths: list[int], sizes: set[tuple[int, int]]
) -> None:
    pages = lay_out(axes(*lengths), sizes)
    cells = [coordinates for page in pages for coordinates in page.cells]
    assert sorted(cells) == list(product(*map(range, lengths)))
    for number, page in enumerate(pages, 1):
        assert (page.number, page.pages) == (number, len(pages))
        assert max(page.size) <= MAX_SIDE
        assert math.prod(page.size) <= MAX_PIXELS


@given(
    st.lists(st.integers(1, 4), max_size=4),
    sizes,
    st.sampled_from(["", "a long prompt of a sheep " * 9, "羊", "W" * 50]),
)
def test_nothing_on_a_page_overlaps_or_leaves_it(
    lengths: list[int], sizes: set[tuple[int, int]], label: str
) -> None:
    for page in lay_out(axes(*lengths, label=label), sizes):
        assert not any(overlap(*pair) for pair in itertools.combinations(boxes(page), 2))
        for left, top, right, bottom in boxes(page):
            assert 0 < left <= right < page.size[0]
            assert 0 < top <= bottom < page.size[1]


def test_two_axes_are_rows_and_columns_with_a_label_for_each() -> None:
    (page,) = lay_out(axes(3, 4), {(128, 128)})
    assert shape(page) == (3, 4)
    assert list(page.cells)[6] == (1, 2)
    assert page.fixed == {}
    rows = [label for label in page.labels if label.anchor == "rm"]
    columns = [label for label in page.labels if label.anchor == "mb"]
    assert [(label.name, label.value) for label in rows] == [("axis0", str(i)) for i in range(3)]
    assert [(label.name, label.value) for label in columns] == [("axis1", str(i)) for i in range(4)]
    for index, box in enumerate(page.cells.values()):
        row, column = divmod(index, 4)
        assert rows[row].box[1::2] == box[1::2]
        assert columns[column].box[0::2] == box[0::2]


def test_further_axes_make_pages_titled_with_their_values() -> None:
    sweep = [
        SheetAxis(name="scheduler", labels=("ddim", "euler")),
        SheetAxis(name="model", labels=("sheep",)),
        SheetAxis(name="steps", labels=("10", "20")),
        *axes(3, 4),
    ]
    pages = lay_out(sweep, {(64, 64)})
    assert len(pages) == 4
    assert pages[2].fixed == {"scheduler": "euler", "model": "sheep", "steps": "10"}
    title = pages[2].labels[0]
    assert (title.name, title.value) == ("page 3 of 4", "scheduler euler, model sheep, steps 10")
    assert title.box[3] < min(box[1] for box in boxes(pages[2])[1:])
    assert [coordinates[:3] for coordinates in pages[2].cells] == [(1, 0, 0)] * 12


@pytest.mark.parametrize(
    ("count", "expected"), [(2, (1, 2)), (5, (2, 3)), (9, (3, 3)), (400, (20, 20))]
)
def test_a_single_axis_is_wrapped_into_a_square(count: int, expected: tuple[int, int]) -> None:
    (page,) = lay_out(axes(1, count), {(64, 64)})
    assert shape(page) == expected
    title, *captions = page.labels
    assert title.value == "axis0 0"
    assert [label.value for label in captions] == [str(index) for index in range(count)]
    for label, box in zip(captions, page.cells.values(), strict=True):
        assert label.box[0::2] == box[0::2]
        assert label.box[1] > box[3]


def test_no_axis_is_one_cell() -> None:
    (page,) = lay_out([], {(512, 512)})
    assert list(page.cells) == [()]
    assert [label.value for label in page.labels] == ["image"]


def test_values_too_many_for_a_page_go_on_the_next() -> None:
    pages = lay_out(axes(2, 200), {(512, 512)})
    assert [shape(page) for page in pages] == [(2, 66), (2, 67), (2, 67)]
    assert next(iter(pages[1].cells)) == (0, 66)
    assert pages[0].labels[0].name == "page 1 of 3"
    assert pages[0].labels[0].value == ""
    assert [len(page.cells) for page in lay_out(axes(10_000), set())] == [2000] * 5


@pytest.mark.parametrize(
    ("columns", "size", "cell"),
    [
        (4, (512, 512), (256, 256)),
        (4, (512, 256), (256, 128)),
        (4, (200, 200), (200, 200)),
        (4, (64, 64), (128, 128)),
        (4, (48, 32), (96, 96)),
        (4, (16, 2048), (96, 256)),
        (35, (512, 512), (192, 192)),
        (50, (512, 512), (128, 128)),
        (66, (512, 512), (96, 96)),
        (300, (512, 512), (96, 96)),
    ],
)
def test_cells_are_as_large_as_the_fewest_pages_allow(
    columns: int, size: tuple[int, int], cell: tuple[int, int]
) -> None:
    left, top, right, bottom = first_cell(lay_out(axes(2, columns), {size}))
    assert (right - left, bottom - top) == cell


def test_a_cell_has_room_for_pictures_of_different_shapes() -> None:
    left, top, right, bottom = first_cell(lay_out(axes(2, 2), {(512, 256), (256, 512)}))
    assert (right - left, bottom - top) == (256, 256)


def test_a_value_that_no_letter_tells_is_numbered() -> None:
    sweep = [SheetAxis(name="prompt", labels=("sheep", "羊", "山羊"))]
    (page,) = lay_out(sweep, set())
    assert [label.name for label in page.labels] == ["prompt", "prompt #2", "prompt #3"]


def test_a_long_prompt_leaves_room_for_the_other_values_of_a_title() -> None:
    sweep = [SheetAxis(name="prompt", labels=("sheep " * 99, "goat")), *axes(2, 2, 2)]
    title = lay_out(sweep, set())[0].labels[0].value
    assert title.startswith("prompt sheep sheep")
    assert title.endswith("…, axis0 0")
    assert len(title) < 100
