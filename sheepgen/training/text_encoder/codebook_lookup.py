"""The perceptrons behind the trunk, which look up what things look like: see `unfolding`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.text_encoder.appearance import ALONE_SIDE, BLOCKS, COMPANION_SIDE
from sheepgen.training.text_encoder.gates import FAR, Units
from sheepgen.training.text_encoder.orthogonal_codes import identities
from sheepgen.training.text_encoder.residual_layout import numbers_in

if TYPE_CHECKING:
    from torch import Tensor

    from sheepgen.training.text_encoder.appearance import Looks
    from sheepgen.training.text_encoder.conditioning_targets import States
    from sheepgen.training.text_encoder.prompt_parser import TextTrunk
    from sheepgen.training.text_encoder.residual_layout import Places, Stream

__all__ = [
    "block_gate",
    "block_maps",
    "block_units",
    "cell_units",
    "look_up_units",
]

MARGIN = 3 / 16
"""How much more alike than things' identities are a thing and itself must be."""


def look_up_units(trunk: TextTrunk, stream: Stream, states: States) -> Units:
    """Return what writes drawings' codes, a unit each, and prepares the place for blocks.

    What was in the codes' place, identities, is taken away. Where a thing is not alone, its block
    is told where that of a thing alone was.
    """
    units = Units(stream.width)
    known = identities(len(trunk.names), stream)
    drawn: dict[tuple[int, int], list[str]] = defaultdict(list)
    for thing, name in enumerate(trunk.names):
        for style in STYLES:
            drawn[states.row(style, name), thing].append(style)
    rows, things = (torch.tensor(numbers) for numbers in zip(*drawn, strict=True))
    alike = known @ known.T
    threshold = 1 + MARGIN + float((alike - torch.eye(len(alike))).max().clamp(min=0))
    reads = known[things]
    for read, styles in zip(reads, drawn.values(), strict=True):
        for style in styles:
            read[stream.fact("style", style)] = 1
    bias = torch.tensor(-threshold * FAR / MARGIN).half().float()
    on = FAR / MARGIN * (1 + alike.diagonal()[things]) + bias
    writes = -known[things]
    writes[:, stream.code] += states.looks.codes[rows]
    units.add(
        reads * FAR / MARGIN,
        bias.expand(len(rows)),
        writes / functional.gelu(on)[:, None],
    )
    _add_block_choice(units, stream)
    return units


def _add_block_choice(units: Units, stream: Stream) -> None:
    unit = torch.eye(stream.width)
    not_alone = unit[stream.known] - unit[stream.fact("kind", "single")]
    chosen, other = (
        [*numbers_in(places.block_rows), *numbers_in(places.block_columns)]
        for places in (stream.alone, stream.companion)
    )
    for seen, sign in ((chosen, -1), (other, 1)):
        reads = 4 * FAR * (unit[seen] + not_alone)
        units.add_switches(reads, torch.full((len(seen),), -6 * FAR), sign * unit[chosen])


def block_maps(looks: Looks) -> Tensor:
    """Return what is to be added to a code, (blocks, numbers of a code, numbers of a block's).

    What is in the block's place, the code's last numbers, is taken away.
    """
    width, size = looks.to_blocks.shape[1:]
    there = torch.zeros(width, size)
    shared = min(width, size)
    there[-shared:, :shared] = torch.eye(shared)
    return looks.to_blocks - there


def block_gate(stream: Stream, block: int) -> Tensor:
    """Return what is 2 where a slot shows a block, and less elsewhere, (width,)."""
    row, column = divmod(block, BLOCKS)
    unit = torch.eye(stream.width)
    return (
        unit[stream.alone.block_rows.start + row] + unit[stream.alone.block_columns.start + column]
    )


def block_units(stream: Stream, looks: Looks, blocks: range) -> Units:
    """Return what makes the code of a drawing that of a block of it.

    Args:
        stream: Where codes are.
        looks: What they are.
        blocks: Which are told; those before have been.
    """
    units = Units(stream.width)
    maps = block_maps(looks)
    writes = torch.eye(stream.width)[stream.block_code]
    most = _most_read(looks, maps, blocks.start)
    for block in blocks:
        reads = torch.zeros(len(writes), stream.width)
        reads[:, stream.code] = maps[block].T
        reads[:, stream.known] = looks.mean[block]
        units.add_gated(reads, writes, gate=block_gate(stream, block), needed=2, most=most)
    return units


def _most_read(looks: Looks, maps: Tensor, first: int) -> float:
    """Return what is read at most, also at slots where an earlier block's code is told already."""
    shared = min(maps.shape[1:])
    standing = [looks.codes]
    for block in range(first):
        told = looks.codes.clone()
        told[:, -shared:] += (looks.codes @ maps[block] + looks.mean[block])[:, :shared]
        standing.append(told)
    read = torch.einsum("dw,bwk->dbk", torch.cat(standing), maps) + looks.mean
    return float(read.abs().max())


def cell_units(stream: Stream, looks: Looks) -> Units:
    """Return what makes a block's code the look of a cell of it, and tells marks."""
    units = Units(stream.width)
    unit = torch.eye(stream.width)
    single, known = unit[stream.fact("kind", "single")], unit[stream.known]
    most = max(float(look(looks.codes).abs().max()) for look in (looks.alone, looks.companion))
    for places, to_cells, side, owner, needed in (
        (stream.alone, looks.to_alone, ALONE_SIDE, known + single, 4),
        (stream.companion, looks.to_companion, COMPANION_SIDE, known - single, 3),
    ):
        _add_cells(units, stream, places, to_cells, side // BLOCKS, owner, needed, most)
    return units


def _add_cells(
    units: Units,
    stream: Stream,
    places: Places,
    to_cells: Tensor,
    side: int,
    owner: Tensor,
    needed: int,
    most: float,
) -> None:
    unit = torch.eye(stream.width)
    for cell in range(side * side):
        row, column = divmod(cell, side)
        reads = torch.zeros(to_cells.shape[2], stream.width)
        reads[:, stream.block_code] = to_cells[:, cell].T
        gate = unit[places.cell_rows.start + row] + unit[places.cell_columns.start + column]
        units.add_gated(
            reads, unit[stream.layout.look], gate=gate + owner, needed=needed, most=most
        )
    marks = unit[places.marks]
    units.add_gated(marks, unit[stream.layout.mark], gate=owner, needed=needed - 2, most=1.0)
