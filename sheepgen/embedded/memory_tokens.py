"""The tokens that the U-Net attends to: where in the sequence, and what the numbers of each are.

A sequence is 32 context tokens, which hold the scene's attributes, and then 576 memory tokens, each
of which holds one cell (8 by 8 pixels) of a drawing. A thing that is alone has all of these, 24 by
24, row by row; of two things, each has a block of 16 by 16; several of a kind all look like the
first block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "ALONE",
    "ALONE_SIDE",
    "BLOCKS",
    "CELLS_A_DRAWING",
    "COMPANION_SIDE",
    "MAX_THINGS",
    "MEMORY_TOKENS",
    "POSITION_WIDTH",
    "TokenBlock",
    "TokenLayout",
    "token_blocks",
]

ALONE_SIDE = 24
"""Cells per side of a thing that is alone, ..."""

COMPANION_SIDE = 16
"""... and of one that is not."""

CELLS_A_DRAWING = COMPANION_SIDE**2 + ALONE_SIDE**2
"""In the table of cells: those of the smaller drawing, row by row, then those of the larger."""

MEMORY_TOKENS = ALONE_SIDE**2

MAX_THINGS = 2

PERIODS = (48, 24, 12, 6)
"""Wavelengths of the position encoding, in cells."""

POSITION_WIDTH = MAX_THINGS + 4 * len(PERIODS)


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenBlock:
    """The memory tokens of one thing.

    Args:
        thing: Its number, from 0.
        side: Cells per side.
        first: The first of its tokens.
    """

    thing: int
    side: int
    first: int

    @property
    def tokens(self) -> slice:
        """Where they are among the memory tokens, row by row."""
        return slice(self.first, self.first + self.side**2)

    def position_encoding(self) -> Tensor:
        """Return which thing's and which cell's they are, (tokens, `POSITION_WIDTH`).

        The thing one-hot, then cosines and sines of the row, then of the column.
        """
        rows_and_columns = torch.meshgrid(*[torch.arange(self.side).float()] * 2, indexing="ij")
        angles = [2 * math.pi * at / period for at in rows_and_columns for period in PERIODS]
        waves = [wave(angle).flatten() for angle in angles for wave in (torch.cos, torch.sin)]
        thing = functional.one_hot(torch.tensor(self.thing), MAX_THINGS).float()
        return torch.cat([thing.expand(self.side**2, MAX_THINGS), torch.stack(waves, dim=1)], dim=1)


ALONE = TokenBlock(thing=0, side=ALONE_SIDE, first=0)
"""The tokens of a thing that is alone."""

BLOCKS = tuple(
    TokenBlock(thing=thing, side=COMPANION_SIDE, first=thing * COMPANION_SIDE**2)
    for thing in range(MAX_THINGS)
)
"""Those of things that are not. The tokens after them belong to none."""


def token_blocks(things: int, *, alone: bool) -> tuple[TokenBlock, ...]:
    """Return the blocks of a scene's things."""
    return ((ALONE,) if alone else BLOCKS)[:things]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenLayout:
    """Where among a token's numbers what is.

    Args:
        cell_width: Numbers of a cell.
        colours: How many colours there are.
        attributes: How many attributes there are.
    """

    cell_width: int
    colours: int
    attributes: int

    @property
    def cell(self) -> slice:
        """Latent and opacity of the cell."""
        return slice(0, self.cell_width)

    @property
    def position(self) -> slice:
        """Which cell it is."""
        return slice(self.cell.stop, self.cell.stop + POSITION_WIDTH)

    @property
    def colour(self) -> slice:
        """What its thing is painted in, one-hot."""
        return slice(self.position.stop, self.position.stop + self.colours)

    @property
    def attribute(self) -> slice:
        """What the prompt says of the whole scene, multi-hot."""
        return slice(self.colour.stop, self.colour.stop + self.attributes)

    @property
    def width(self) -> int:
        """How many numbers are used."""
        width: int = self.attribute.stop
        return width
