"""Slots and their marks: whose they are, and which cell each of them stands for."""

from __future__ import annotations

import pytest
import torch

from sheepgen.training.text_encoder.appearance import ALONE_SIDE, COMPANION_SIDE
from sheepgen.training.text_encoder.memory_tokens import ALL, MARKS, PARTS, SLOTS, THINGS, Part

EVERY_PART = pytest.mark.parametrize("part", [ALL, *PARTS])


def test_a_thing_alone_takes_all_slots_and_each_of_two_its_own() -> None:
    numbers = range(SLOTS)
    assert [*numbers[ALL.slots]] == [*range(ALONE_SIDE**2)]
    first, second = (numbers[part.slots] for part in PARTS)
    assert (*first, *second) == (*range(THINGS * COMPANION_SIDE**2),)
    assert len(first) == len(second) == 256


@EVERY_PART
def test_marks_tell_which_thing_it_is(part: Part) -> None:
    assert part.marks.shape == (part.side**2, MARKS)
    which = torch.nn.functional.one_hot(torch.tensor(part.thing), THINGS)
    assert (part.marks[:, :THINGS] == which).all()
    assert [part.thing for part in PARTS] == [0, 1]


@EVERY_PART
def test_marks_of_neighbours_are_more_alike_than_any_others(part: Part) -> None:
    alike = part.marks @ part.marks.mT
    rows, columns = (
        place.flatten() for place in torch.meshgrid(*[torch.arange(part.side)] * 2, indexing="ij")
    )
    apart = torch.maximum((rows[:, None] - rows).abs(), (columns[:, None] - columns).abs())
    assert alike[apart == 1].min() > alike[apart > 1].max() + 0.5
    assert alike[apart == 0].min() > alike[apart == 1].max() + 0.5


def test_rows_and_columns_are_told_apart() -> None:
    """The waves of rows come first; they stay the same along a row, those of columns down."""
    rows, columns = ALL.marks[:, THINGS:].reshape(ALL.side, ALL.side, -1).chunk(2, dim=-1)
    assert torch.equal(rows, rows[:, :1].expand_as(rows))
    assert torch.equal(columns, columns[:1].expand_as(columns))
    assert torch.equal(rows[:, 0], columns[0])


def test_no_two_marks_are_the_same() -> None:
    for marks in (ALL.marks, torch.cat([part.marks for part in PARTS])):
        assert torch.pdist(marks).min() > 1


def test_things_side_by_side_have_the_same_waves() -> None:
    first, second = (part.marks[:, THINGS:] for part in PARTS)
    assert torch.equal(first, second)
    # As far from the upper left corner, cells of both sizes have the same.
    alone = ALL.marks[:, THINGS:].reshape(ALL.side, ALL.side, -1)
    assert torch.equal(alone[:COMPANION_SIDE, :COMPANION_SIDE].flatten(0, 1), first)
