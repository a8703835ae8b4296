"""The last tokens of every prompt, which say what its things look like.

Each of them, a slot, stands for one patch of one thing. A mark in its state says for which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.appearance import GRID

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MARK", "MARKS", "PATCHES", "SLOTS", "THINGS", "slot_marks"]

THINGS = 2
"""How many of a prompt's things have slots."""

PATCHES = GRID * GRID

SLOTS = THINGS * PATCHES

MARKS = THINGS + GRID + GRID
"""Numbers of a mark: one says which thing it is, one the patch's row, one its column."""

MARK = 3.0
"""What the numbers are that say so; the others are zero."""


def slot_marks() -> Tensor:
    """Return how slots are marked, (`SLOTS`, `MARKS`)."""
    thing, row, column = torch.meshgrid(
        torch.arange(THINGS), torch.arange(GRID), torch.arange(GRID), indexing="ij"
    )
    one_hot = torch.nn.functional.one_hot
    marks = torch.cat([one_hot(thing, THINGS), one_hot(row, GRID), one_hot(column, GRID)], -1)
    return MARK * marks.flatten(0, 2)
