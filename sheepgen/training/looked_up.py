"""The perceptrons behind the trunk, which look up what things look like: see `unfolding`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.training.data.drawing_sets import STYLES
from sheepgen.training.facts import FACTS, QUESTIONS
from sheepgen.training.looks import ALONE_SIDE, BLOCKS, COMPANION_SIDE
from sheepgen.training.units import FAR, Units

if TYPE_CHECKING:
    from torch import Tensor

    from sheepgen.training.looks import Looks
    from sheepgen.training.states import States
    from sheepgen.training.stream import Places, Stream
    from sheepgen.training.text_trunk import TextTrunk

__all__ = [
    "block_gate",
    "block_maps",
    "block_units",
    "cell_units",
    "decision_units",
    "look_up_units",
]

SHARPNESS = 4.0
"""How far from zero log odds are decided: within some 6 / this."""

AT_ALL = 1_000.0
"""Beyond any log odds, times `SHARPNESS`."""

MOST_THOUGHT = 80.0
"""What no number of a trunk's state is beyond."""

MARGIN = 3 / 16
"""How much more alike than things' identities are a thing and itself must be."""


def decision_units(trunk: TextTrunk, stream: Stream) -> Units:
    """Return what decides the trunk's answers: facts at padding and slots, the rest at slots."""
    units = Units(stream.width)
    for answers, at in (
        (trunk.things, [*_range(stream.alone.block_rows)]),
        (trunk.colours, [*_range(stream.alone.block_rows)]),
        (trunk.facts, [stream.padding]),
    ):
        weight = trunk.answers.weight[answers]
        reads = torch.zeros(len(weight), stream.width)
        reads[:, stream.thought] = SHARPNESS * weight
        reads[:, at] = AT_ALL
        writes = torch.zeros(len(weight), stream.width)
        if answers == trunk.things:
            writes[:, stream.identity] = _identities(trunk, stream)
            writes[:, stream.known] = 1
        else:
            told = stream.layout.colour if answers == trunk.colours else stream.layout.facts
            writes[:, told] = torch.eye(len(weight))
        units.add_switches(reads, SHARPNESS * trunk.answers.bias[answers] - AT_ALL, writes)
    return units


def look_up_units(trunk: TextTrunk, stream: Stream, states: States) -> Units:
    """Return what writes drawings' codes, a unit each, and prepares the place for blocks.

    What was in the codes' place is taken away: identities, as they are known, and trunks' states.
    Where a thing is not alone, its block is told where that of a thing alone was.
    """
    units = Units(stream.width)
    identities = _identities(trunk, stream)
    drawn: dict[tuple[int, int], list[str]] = defaultdict(list)
    for thing, name in enumerate(trunk.names):
        for style in STYLES:
            drawn[states.row(style, name), thing].append(style)
    rows, things = (torch.tensor(numbers) for numbers in zip(*drawn, strict=True))
    alike = identities @ identities.T
    threshold = 1 + MARGIN + float((alike - torch.eye(len(alike))).max().clamp(min=0))
    reads = torch.zeros(len(rows), stream.width)
    reads[:, stream.identity] = identities[things]
    for read, styles in zip(reads, drawn.values(), strict=True):
        for style in styles:
            read[_fact(stream, "style", style)] = 1
    bias = torch.tensor(-threshold * FAR / MARGIN).half().float()
    on = FAR / MARGIN * (1 + alike.diagonal()[things]) + bias
    writes = torch.zeros(len(rows), stream.width)
    writes[:, stream.code] = states.looks.codes[rows]
    writes[:, stream.identity] -= identities[things]
    units.add(
        reads * FAR / MARGIN,
        bias.expand(len(rows)),
        writes / functional.gelu(on)[:, None],
    )
    thought = torch.eye(stream.width)[stream.thought]
    padding = torch.eye(stream.width)[stream.padding]
    units.add_gated(thought, -thought, gate=padding, needed=1, most=MOST_THOUGHT)
    _add_block_choice(units, stream)
    return units


def _add_block_choice(units: Units, stream: Stream) -> None:
    unit = torch.eye(stream.width)
    not_alone = unit[stream.known] - unit[_fact(stream, "kind", "single")]
    chosen = [*_range(stream.alone.block_rows), *_range(stream.alone.block_columns)]
    other = [*_range(stream.companion.block_rows), *_range(stream.companion.block_columns)]
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


def block_units(stream: Stream, looks: Looks, first: int) -> Units:
    """Return what makes the code of a drawing that of a block of it, from the first block on."""
    units = Units(stream.width)
    maps = block_maps(looks)
    writes = torch.eye(stream.width)[stream.block_code]
    most = _most_read(looks, maps, first)
    for block in range(first, len(maps)):
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
    single, known = unit[_fact(stream, "kind", "single")], unit[stream.known]
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


def _identities(trunk: TextTrunk, stream: Stream) -> Tensor:
    """Return unit vectors, far from each other, as float16 holds them, (things, numbers)."""
    count, width = len(trunk.names), stream.identity.stop - stream.identity.start
    if count <= width:
        return torch.eye(width)[:count]
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(count, width, generator=generator)
    return functional.normalize(vectors, dim=1).half().float()


def _fact(stream: Stream, question: str, answer: str) -> int:
    """Return where in a state a fact is."""
    facts = [(name, known) for name, answers in QUESTIONS.items() for known in answers]
    assert len(facts) == FACTS
    first: int = stream.layout.facts.start
    return first + facts.index((question, answer))


def _range(where: slice) -> range:
    return range(where.start, where.stop)
