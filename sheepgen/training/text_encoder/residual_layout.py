"""Where in the states of the whole text encoder what is, while its layers work on them.

    visible     what the U-Net sees, see
        `sheepgen.training.text_encoder.conditioning_targets.Layout` region      first the trunk's
        state and behind it a thing's identity, then its look's code, and
                at its end, last, the code of a block of it
    place       of a slot: which block and which cell of its thing it stands for, and its marks, if
                the thing is alone and if not
    known       whether a slot belongs to a thing
    padding     whether a token is padding or a slot
    anchor      two large numbers, one positive and one negative

Layer norms divide by a state's length. The anchor is so long that nothing else matters to it: where
it is, layer norms are linear. Before, while the trunk computes, it is not there, and it is all
besides the trunk that is too small to matter. So all numbers have scales.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch

from sheepgen.training.text_encoder.appearance import BLOCKS
from sheepgen.training.text_encoder.attributes import ANSWERS
from sheepgen.training.text_encoder.memory_tokens import ALL, MARKS, PARTS, SLOTS, Part

if TYPE_CHECKING:
    from torch import Tensor

    from sheepgen.training.text_encoder.appearance import Looks
    from sheepgen.training.text_encoder.conditioning_targets import Layout
    from sheepgen.training.text_encoder.prompt_parser import TextTrunk

__all__ = ["ANCHOR_LENGTH", "Places", "Stream", "numbers_in"]

REGION_SCALE = 1 / 8
PLACE_SCALE = 1 / 4096
PADDING_SCALE = 1 / 256
LOOK_SCALE = 1 / 4

ANCHOR_LENGTH = 8.0
"""Of a state with an anchor, the root mean square of its numbers."""

LEAST_IDENTITY = 32
"""Numbers that tell things apart, at least."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the place of a slot is told, for things that are alone or for those that are not.

    Each of these has one number for each row or column, which is 1 where the slot is.
    """

    block_rows: slice
    block_columns: slice
    cell_rows: slice
    cell_columns: slice
    marks: slice


@dataclass(frozen=True)
class Stream:
    """The numbers of a state.

    Args:
        layout: Of what the U-Net sees.
        codes: Numbers of a drawing's code.
        block_codes: Numbers of a block's code.
        trunk: Numbers of a trunk's state.
        heads: Of attention, which the width is a multiple of.
    """

    layout: Layout
    codes: int
    block_codes: int
    trunk: int
    heads: int

    @classmethod
    def of(cls, trunk: TextTrunk, looks: Looks, layout: Layout) -> Stream:
        """Return that of a trunk which drawings are looked up for."""
        return cls(
            layout=layout,
            codes=looks.codes.shape[1],
            block_codes=looks.mean.shape[1],
            trunk=trunk.tokens.embedding_dim,
            heads=trunk.attentions[0].heads,
        )

    @cached_property
    def _parts(self) -> list[slice]:
        """All parts, in order."""
        sides = [BLOCKS, BLOCKS, ALL.side // BLOCKS, ALL.side // BLOCKS, MARKS]
        companion_sides = [BLOCKS, BLOCKS, *[PARTS[0].side // BLOCKS] * 2, MARKS]
        region = max(self.trunk + LEAST_IDENTITY, self.codes, self.block_codes)
        sizes = [self.layout.width, region, *sides, *companion_sides, 1, 1, 2]
        return [slice(*ends) for ends in pairwise(accumulate(sizes, initial=0))]

    @property
    def width(self) -> int:
        """Numbers of a state."""
        used: int = self._parts[-1].stop
        return math.ceil(used / self.heads) * self.heads

    @property
    def region(self) -> slice:
        """Where the trunk's state and the codes are."""
        return self._parts[1]

    @property
    def thought(self) -> slice:
        """The trunk's state."""
        return slice(self.region.start, self.region.start + self.trunk)

    @property
    def identity(self) -> slice:
        """Which thing a slot belongs to."""
        return slice(self.thought.stop, self.region.stop)

    @property
    def code(self) -> slice:
        """The drawing's code."""
        return slice(self.region.start, self.region.start + self.codes)

    @property
    def block_code(self) -> slice:
        """The block's code: where codes vary least, as they end there."""
        start = self.region.start + max(0, self.codes - self.block_codes)
        return slice(start, start + self.block_codes)

    @property
    def alone(self) -> Places:
        """The places of slots of a thing that is alone."""
        return Places(*self._parts[2:7])

    @property
    def companion(self) -> Places:
        """Those of one that is not."""
        return Places(*self._parts[7:12])

    def fact(self, question: str, answer: str) -> int:
        """Return where it is told that a question's answer is this."""
        first: int = self.layout.facts.start
        return first + ANSWERS.index((question, answer))

    @property
    def known(self) -> int:
        """Whether a slot belongs to a thing."""
        known: int = self._parts[12].start
        return known

    @property
    def padding(self) -> int:
        """Whether a token is padding or a slot."""
        padding: int = self._parts[13].start
        return padding

    @property
    def anchor(self) -> slice:
        """The positive number and the negative one."""
        return self._parts[14]

    @cached_property
    def scales(self) -> Tensor:
        """What one is as a number of a state, (width,)."""
        scales = torch.ones(self.width)
        scales[self.layout.look] = LOOK_SCALE
        scales[self.region] = REGION_SCALE
        scales[self.alone.block_rows.start : self.companion.marks.stop] = PLACE_SCALE
        scales[self.padding] = PADDING_SCALE
        return scales

    @cached_property
    def slot(self) -> Tensor:
        """What is 1 at slots and 0 at words, (width,)."""
        slot = torch.zeros(self.width)
        slot[self.alone.block_rows] = 1
        return slot

    @cached_property
    def firsts(self) -> Tensor:
        """What is 1 at the first slot of each part, 0 at words, and at other slots 0 or less."""
        places = self.companion
        lines = [places.block_rows, places.block_columns, places.cell_rows, places.cell_columns]
        firsts = (1 - len(lines)) * self.slot
        firsts[[line.start for line in lines]] = 1
        return firsts

    def first_of(self, thing: int) -> Tensor:
        """Return what is 1 at the first slot of a thing's part, and else as `firsts`."""
        first = self.firsts - self.slot
        first[self.companion.marks.start + thing] = 1
        return first

    def slot_places(self) -> Tensor:
        """Return what slots' states are told of their places, (slots, width)."""
        told = torch.zeros(SLOTS, self.width)
        for part, places in ((ALL, self.alone), *((part, self.companion) for part in PARTS)):
            self._write_places(told[part.slots], part, places)
        return told

    @staticmethod
    def _write_places(told: Tensor, part: Part, places: Places) -> None:
        cells = part.side // BLOCKS
        lines = torch.arange(part.side)
        rows, columns = (line.flatten() for line in torch.meshgrid(lines, lines, indexing="ij"))
        everything = torch.arange(len(told))
        told[everything, places.block_rows.start + rows // cells] = 1
        told[everything, places.block_columns.start + columns // cells] = 1
        told[everything, places.cell_rows.start + rows % cells] = 1
        told[everything, places.cell_columns.start + columns % cells] = 1
        told[:, places.marks] = part.marks


def numbers_in(where: slice) -> list[int]:
    """Return the numbers of a state that are somewhere."""
    return [*range(where.start, where.stop)]
