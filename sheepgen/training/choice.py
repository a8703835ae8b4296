"""How the text encoder makes up its mind, whatever the trunk's doubts: see `unfolding`.

The trunk's answers are independent of each other: of things that could be a prompt's first, all may
be doubted, or two believed. Slots that told none or both would show nothing, or a sum that looks
like neither. So what may be answered once is chosen: what more speaks for than for all else
together. It takes two perceptrons, and attention between them:

    weigh       how much speaks for each thing, at one slot of each part; for each kind and style
    fetch       where the kind is single, all slots ask the first part; else, each its own
    choose      what most speaks for becomes 1, and what was weighed is taken away
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.training.data.scenes import RELATIONS
from sheepgen.training.facts import QUESTIONS
from sheepgen.training.slots import THINGS
from sheepgen.training.stream import ANCHOR_LENGTH
from sheepgen.training.trunk_layers import balance
from sheepgen.training.units import Units

if TYPE_CHECKING:
    from torch import Tensor
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    from sheepgen.training.stream import Stream
    from sheepgen.training.text_trunk import TextTrunk

__all__ = ["choose_units", "identities", "weigh_units", "write_fetching"]

SHARPNESS = 4.0
"""How far from zero log odds are decided: within some 6 / this."""

AT_ALL = 1_000.0
"""Beyond any log odds, times `SHARPNESS`."""

AT_FIRST = 300.0
"""The same for slots."""

BENDS = ((-5.0, 1.0), (-2.0, 7.0))
"""From which log odds on something speaks for a thing, and how much more it is for each further.
Of much doubted things the second makes the least doubted stand out."""

HEAVY = 128.0
"""What is weighed is told in these, and log odds of 14 are one: beside the anchor it must be short."""

DECISION = 2_048.0
"""How sharply is chosen: within some 3 / this, as told."""

NEGLIGIBLE = 0.5 / HEAVY
"""What does not suffice to be chosen."""

MOST_THOUGHT = 80.0
"""What no number of a trunk's state is beyond, nor anything that is weighed."""

WEIGHED = ("kind", "style")
"""Questions that every prompt has an answer to."""

FOCUS = (4_000.0, 16.0)
"""How sharply slots look at what is to be fetched, in queries and in keys."""

FAR_MORE = 4.0
"""More than can be weighed, as told."""


def weigh_units(trunk: TextTrunk, stream: Stream) -> Units:
    """Return what weighs what is to be chosen, and decides all other answers of the trunk.

    Facts are told at padding and slots, colours at slots; things are weighed at the first slots of
    parts alone.
    """
    units = Units(stream.width)
    unit = torch.eye(stream.width)
    told_facts = unit[stream.layout.facts]
    weighed = _weighed(stream)
    _add_decisions(units, trunk, stream, trunk.colours, unit[stream.layout.colour])
    decided = torch.tensor([fact not in weighed for fact in range(len(told_facts))])
    _add_decisions(units, trunk, stream, trunk.facts, told_facts, decided)
    weight, bias = trunk.answers.weight, trunk.answers.bias
    tells = identities(len(trunk.names), stream)
    tells[:, stream.known] = 1
    at = stream.first_slot
    _add_weights(units, stream, weight[trunk.things], bias[trunk.things], tells, at, AT_FIRST)
    rows = torch.tensor(weighed) + trunk.facts.start
    tells = told_facts[weighed]
    _add_weights(units, stream, weight[rows], bias[rows], tells, [stream.padding], AT_ALL)
    return units


def _add_decisions(
    units: Units,
    trunk: TextTrunk,
    stream: Stream,
    answers: slice,
    told: Tensor,
    which: Tensor | None = None,
) -> None:
    """Add what makes answers 0 or 1, each alone."""
    rows = torch.arange(answers.start, answers.stop)
    if which is not None:
        rows, told = rows[which], told[which]
    at = [stream.padding] if answers == trunk.facts else _numbers(stream.alone.block_rows)
    reads = torch.zeros(len(rows), stream.width)
    reads[:, stream.thought] = SHARPNESS * trunk.answers.weight[rows]
    reads[:, at] = AT_ALL
    units.add_switches(reads, SHARPNESS * trunk.answers.bias[rows] - AT_ALL, told)


def _add_weights(
    units: Units,
    stream: Stream,
    weight: Tensor,
    bias: Tensor,
    told: Tensor,
    at: list[int],
    elsewhere: float,
) -> None:
    """Add what weighs answers where all numbers ``at`` some places are 1."""
    for bend, slope in BENDS:
        reads = torch.zeros(len(weight), stream.width)
        reads[:, stream.thought] = SHARPNESS * weight
        reads[:, at] = elsewhere
        # Not in the large bias, where float16 would round it off.
        reads[:, at[0]] += SHARPNESS * (bias - bend)
        biases = torch.full((len(weight),), -elsewhere * len(at))
        units.add(reads, biases, told * slope / (SHARPNESS * HEAVY))


def write_fetching(layer: CLIPEncoderLayer, stream: Stream) -> None:
    """Let slots fetch what was weighed for the thing that they belong to, if they do to any.

    It is at the first slots of parts, which lose it and fetch it, too. Who fetches nothing looks at
    words.

    Raises:
        ValueError: If there are too few heads.
    """
    wide, room = layer.self_attn, stream.width // stream.heads
    layer.layer_norm1.weight[:] = ANCHOR_LENGTH / stream.scales
    unit = torch.eye(stream.width)
    fetched = [*_numbers(stream.identity), stream.known]
    heads = math.ceil(len(fetched) / room)
    if 2 * heads > stream.heads:
        raise ValueError(f"{stream.heads} heads are too few to fetch {len(fetched)} numbers twice.")
    first = unit[stream.first_slot].sum(0)
    slot = unit[stream.alone.block_rows].sum(0)
    whose = unit[stream.companion.marks][:THINGS]
    at_query, at_key = FOCUS
    for head in range(2 * heads):
        piece, loses = head % heads, head >= heads
        numbers = fetched[piece * room : (piece + 1) * room]
        rows = slice(head * room, head * room + len(numbers))
        wide.v_proj.weight[rows] = unit[numbers]
        out = (unit[numbers] * stream.scales).T
        wide.out_proj.weight[:, rows] = -out if loses else out
        rows = slice(head * room, head * room + 1 + THINGS)
        # Zero at words and at the first slots of parts, whose scores are the queries' alone.
        wide.k_proj.weight[rows] = at_key * torch.stack(
            [first - len(stream.first_slot) * slot, *whose]
        )
        asks, biases = _asks_itself(stream) if loses else _asks(stream)
        wide.q_proj.weight[rows] = at_query * torch.cat([torch.zeros(1, stream.width), asks])
        wide.q_proj.bias[rows] = at_query * torch.tensor([3 * FAR_MORE, *biases])
    balance(wide.out_proj.weight, stream)


def _asks_itself(stream: Stream) -> tuple[Tensor, list[float]]:
    """Return the same for what asks but the first slots of parts, each itself."""
    unit = torch.eye(stream.width)
    whose = unit[stream.companion.marks][:THINGS]
    asks = unit[stream.first_slot].sum(0) + whose
    return asks, [-len(stream.first_slot) - 0.5] * THINGS


def _asks(stream: Stream) -> tuple[Tensor, list[float]]:
    """Return how much slots ask each part, (things, width), and what is added to it."""
    unit = torch.eye(stream.width)
    kinds = {kind: unit[stream.fact("kind", kind)] for kind in QUESTIONS["kind"]}
    single, other = kinds["single"], kinds["several"] + kinds["digits"]
    two = torch.stack([kinds[relation] for relation in RELATIONS]).sum(0)
    first, second = unit[stream.companion.marks][:THINGS]
    # The first part always asks itself; the second may ask either; what is left over, the first.
    asks = torch.stack(
        [single - two - other + FAR_MORE * first, two - single - other + FAR_MORE * second]
    )
    return asks, [0.0, -FAR_MORE]


def choose_units(trunk: TextTrunk, stream: Stream) -> Units:
    """Return what chooses, and takes away what was weighed, and the trunk's state."""
    units = Units(stream.width)
    unit = torch.eye(stream.width)
    things = identities(len(trunk.names), stream)
    digits = FAR_MORE * unit[stream.fact("kind", "digits")]
    reads = 2 * things - unit[stream.known] - digits
    _add_choices(units, reads, things + unit[stream.known])
    for question in WEIGHED:
        answers = unit[[stream.fact(question, answer) for answer in QUESTIONS[question]]]
        reads = 2 * answers - answers.sum(0)
        # Digits are in no style of drawings.
        _add_choices(units, reads - digits if question == "style" else reads, answers)
    taken = [*_numbers(stream.region), stream.known]
    taken += [stream.layout.facts.start + fact for fact in _weighed(stream)]
    padding = unit[stream.padding]
    units.add_gated(unit[taken], -unit[taken], gate=padding, needed=1, most=MOST_THOUGHT)
    return units


def _add_choices(units: Units, reads: Tensor, writes: Tensor) -> None:
    biases = torch.full((len(reads),), -DECISION * NEGLIGIBLE)
    units.add_switches(DECISION * reads, biases, writes)


def identities(count: int, stream: Stream) -> Tensor:
    """Return unit vectors, far from each other, as float16 holds them, (things, width)."""
    width = stream.identity.stop - stream.identity.start
    vectors = torch.zeros(count, stream.width)
    if count <= width:
        vectors[:, stream.identity] = torch.eye(width)[:count]
    else:
        generator = torch.Generator().manual_seed(0)
        random = functional.normalize(torch.randn(count, width, generator=generator), dim=1)
        vectors[:, stream.identity] = random.half().float()
    return vectors


def _weighed(stream: Stream) -> list[int]:
    """Return which facts are weighed."""
    start = stream.layout.facts.start
    return [
        stream.fact(question, answer) - start
        for question in WEIGHED
        for answer in QUESTIONS[question]
    ]


def _numbers(where: slice) -> list[int]:
    return [*range(where.start, where.stop)]
