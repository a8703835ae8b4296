"""The last tokens of every prompt, the slots, which say cell by cell what its things look like.

A thing that is alone takes them all; of two things, each takes a part, and of several of a kind,
all look at the first part. A mark in a slot's state says for which cell of which thing it stands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from sheepgen.training.text_encoder.appearance import ALONE_SIDE, COMPANION_SIDE

__all__ = ["ALL", "MARKS", "PARTS", "SLOTS", "THINGS", "Part"]

SLOTS = ALONE_SIDE**2

THINGS = 2
"""How many of a prompt's things have slots when it names several."""

PERIODS = (48, 24, 12, 6)
"""In cells: rows and columns are told by waves, so that neighbours are alike."""

MARKS = THINGS + 4 * len(PERIODS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The slots of one thing.

    Args:
        thing: Its number among those that the prompt names.
        side: Cells a side.
        first: The first of its slots.
    """

    thing: int
    side: int
    first: int

    @property
    def slots(self) -> slice:
        """Where they are among all slots, row by row."""
        return slice(self.first, self.first + self.side**2)

    @property
    def marks(self) -> torch.Tensor:
        """Their marks, (slots, `MARKS`): which thing, and waves that tell row and column."""
        places = torch.meshgrid(*[torch.arange(self.side).float()] * 2, indexing="ij")
        angles = [2 * math.pi * place / period for place in places for period in PERIODS]
        waves = [wave(angle).flatten() for angle in angles for wave in (torch.cos, torch.sin)]
        which = torch.nn.functional.one_hot(torch.tensor(self.thing), THINGS).float()
        return torch.cat([which.expand(self.side**2, THINGS), torch.stack(waves, dim=1)], dim=1)


ALL = Part(thing=0, side=ALONE_SIDE, first=0)
"""The slots of a thing that is alone."""

PARTS = tuple(
    Part(thing=thing, side=COMPANION_SIDE, first=thing * COMPANION_SIDE**2)
    for thing in range(THINGS)
)
"""The slots of one that is not; what is left over is nobody's."""
