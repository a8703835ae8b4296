"""How the text encoder makes up its mind, whatever the trunk's doubts: see `unfolding`.

The trunk's answers are independent of each other: of things that could be a prompt's first, all may
be doubted, or two believed. Slots that told none or both would show nothing, or a sum that looks
like neither. So what has one answer is chosen: what more speaks for than for all else together. It
takes two perceptrons, and attention between them:

    weigh       how much speaks for each thing, at the first slot of each part; for each kind and
                style, at padding and at the first slot of all
    fetch       all slots ask the first for the kind; and for their thing if it is alone, else the
                first of their part
    choose      what most speaks for becomes 1, and what was weighed is taken away
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from sheepgen.training.data.scenes import RELATIONS
from sheepgen.training.facts import QUESTIONS
from sheepgen.training.slots import THINGS
from sheepgen.training.stream import ANCHOR_LENGTH
from sheepgen.training.trunk_layers import balance
from sheepgen.training.units import Units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    from sheepgen.training.stream import Stream
    from sheepgen.training.text_trunk import TextTrunk

__all__ = ["choose_units", "identities", "weigh_units", "write_fetching"]

SHARPNESS = 4.0
"""How far from zero log odds are decided: within some 6 / this."""

AT_ALL = 1_000.0
"""Beyond any log odds, times `SHARPNESS`."""

BENDS = ((-5.0, 1.0), (-2.0, 7.0))
"""From which log odds on something speaks for an answer, and how much more for each further. Of
much doubted things the second makes the least doubted stand out."""

HEAVY = 128.0
"""What is weighed is told in these: beside the anchor it must be short. Log odds of 14 are one."""

DECISION = 2_048.0
"""How sharply is chosen: within some 3 / this, as told."""

NEGLIGIBLE = 0.5 / HEAVY
"""What does not suffice to be chosen."""

FAR_MORE = 2.0
"""More than can be weighed, as told."""

OWN_PART = 4 * NEGLIGIBLE
"""How much more than nothing a part's slots ask its own: places are told with small errors, which
must not tip it."""

FOCUS = (4_000.0, 16.0)
"""How sharply slots look at what is to be fetched, in queries and in keys."""

MOST_THOUGHT = 80.0
"""What no number of a trunk's state is beyond, nor anything that is weighed."""

WEIGHED = ("kind", "style")
"""Questions that every prompt has an answer to."""

OF_ONE_PART = ("several", "digits")
"""Kinds in which the second part's slots are nobody's. That is asked of both parts."""

LEAST_ALIKE = 0.05
SPREADINGS = 200
"""How alike identities may be, and how often they are driven apart."""


def weigh_units(trunk: TextTrunk, stream: Stream) -> Units:
    """Return what weighs what is to be chosen, and decides all other answers of the trunk."""
    units = Units(stream.width)
    unit = torch.eye(stream.width)
    padding, slot, firsts = unit[stream.padding], stream.slot, _firsts(stream)
    things = identities(len(trunk.names), stream)
    things[:, stream.known] = 1
    _add_weights(units, stream, trunk.answers, _numbers(trunk.things), firsts, things)
    colours = unit[stream.layout.colour]
    _add_decisions(units, stream, trunk.answers, _numbers(trunk.colours), slot, colours)
    facts = unit[stream.layout.facts]
    for numbers, add, place in (
        (_facts(decided=True), _add_decisions, padding),
        (_facts(shared=True), _add_weights, padding - slot + firsts),
        (_facts(), _add_weights, padding - slot + _first_of(0, stream)),
    ):
        rows = [trunk.facts.start + number for number in numbers]
        add(units, stream, trunk.answers, rows, place, facts[numbers])
    return units


def _facts(*, decided: bool = False, shared: bool = False) -> list[int]:
    """Return which facts are decided each alone, or weighed for both parts, or the others."""
    facts = [(question, answer) for question in QUESTIONS for answer in QUESTIONS[question]]
    return [
        number
        for number, (question, answer) in enumerate(facts)
        if decided == (question not in WEIGHED)
        and shared == (question == "kind" and answer in OF_ONE_PART)
    ]


def _add_decisions(
    units: Units, stream: Stream, answers: nn.Linear, rows: list[int], place: Tensor, told: Tensor
) -> None:
    """Add what makes answers 0 or 1, each alone, at a place."""
    reads = AT_ALL * place.repeat(len(rows), 1)
    reads[:, stream.thought] = SHARPNESS * answers.weight[rows]
    units.add_switches(reads, SHARPNESS * answers.bias[rows] - AT_ALL, told)


def _add_weights(
    units: Units, stream: Stream, answers: nn.Linear, rows: list[int], place: Tensor, told: Tensor
) -> None:
    """Add what weighs answers at a place."""
    # The last number that tells the place is 1 there, and bears the answers' bias: with the large
    # one, float16 would round it off.
    bearing = int(place.nonzero()[-1])
    for bend, slope in BENDS:
        reads = AT_ALL * place.repeat(len(rows), 1)
        reads[:, stream.thought] = SHARPNESS * answers.weight[rows]
        reads[:, bearing] += SHARPNESS * (answers.bias[rows] - bend)
        units.add(reads, torch.full((len(rows),), -AT_ALL), told * slope / (SHARPNESS * HEAVY))


def write_fetching(layer: CLIPEncoderLayer, stream: Stream) -> None:
    """Let slots fetch what was weighed at first slots, which lose what they had of things.

    Raises:
        ValueError: If there are too few heads.
    """
    unit = torch.eye(stream.width)
    layer.layer_norm1.weight[:] = ANCHOR_LENGTH / stream.scales
    whose = unit[stream.companion.marks][:THINGS]
    kind = {answer: unit[stream.fact("kind", answer)] for answer in QUESTIONS["kind"]}
    two, of_one = (
        torch.stack([kind[answer] for answer in answers]).sum(0)
        for answers in (RELATIONS, OF_ONE_PART)
    )
    first, second = (_first_of(thing, stream) for thing in range(THINGS))
    nothing, far = torch.zeros(stream.width), 2 * FAR_MORE
    # What is looked for, how much of it, and how much at any rate. Other slots than first ones have
    # nothing to fetch, as all words; so who is to fetch nothing looks at these.
    thing: list[_Look] = [
        _Look(stream.slot, nothing, far),
        _Look(first, FAR_MORE * whose[0], 0),
        _Look(second, OWN_PART * whose[1], 0),
        _Look(whose[1], FAR_MORE * whose[1], -FAR_MORE),
        _Look(kind["single"] - two - of_one, nothing, 1),
    ]
    own: list[_Look] = [_Look(first, first, 0), _Look(second, second, 0)]
    kinds: list[_Look] = [_Look(stream.slot, nothing, far), _Look(first, nothing, FAR_MORE)]
    things = [*_numbers(stream.identity), stream.known]
    facts = [stream.layout.facts.start + fact for fact in (*_facts(), *_facts(shared=True))]
    heads = _Heads(layer, stream)
    heads.add(things, thing, 1)
    heads.add(things, own, -1)
    heads.add(facts, kinds, 1)
    balance(layer.self_attn.out_proj.weight, stream)


class _Look(NamedTuple):
    """How a head's tokens look at others.

    Args:
        at: What is looked for, (width,): how much of it a token is.
        by: How much it matters to the token that looks, (width,), ...
        ever: ... and to whichever.
    """

    at: Tensor
    by: Tensor
    ever: float


class _Heads:
    """Heads of a layer's attention, one after the other."""

    def __init__(self, layer: CLIPEncoderLayer, stream: Stream) -> None:
        self._attention, self._stream, self._count = layer.self_attn, stream, 0

    def add(self, numbers: list[int], looks: Sequence[_Look], sign: int) -> None:
        """Let tokens add numbers of those that they look at to their own, or take them away."""
        stream, unit = self._stream, torch.eye(self._stream.width)
        room = stream.width // stream.heads
        at_query, at_key = FOCUS
        for start in range(0, len(numbers), room):
            if self._count == stream.heads:
                raise ValueError(f"{stream.heads} heads are too few for all that is fetched.")
            piece = numbers[start : start + room]
            first = self._count * room
            rows, keyed = slice(first, first + len(piece)), slice(first, first + len(looks))
            wide = self._attention
            wide.v_proj.weight[rows] = unit[piece]
            wide.out_proj.weight[:, rows] = sign * (unit[piece] * stream.scales).T
            wide.k_proj.weight[keyed] = at_key * torch.stack([look.at for look in looks])
            wide.q_proj.weight[keyed] = at_query * torch.stack([look.by for look in looks])
            wide.q_proj.bias[keyed] = at_query * torch.tensor([float(look.ever) for look in looks])
            self._count += 1


def choose_units(trunk: TextTrunk, stream: Stream) -> Units:
    """Return what chooses, and takes away what was weighed, and the trunk's state."""
    units = Units(stream.width)
    unit = torch.eye(stream.width)
    things = identities(len(trunk.names), stream)
    # Digits are no thing, and in no style of drawings.
    digits = FAR_MORE * unit[stream.fact("kind", "digits")]
    reads = 2 * things - unit[stream.known] - digits
    _add_choices(units, reads, things + unit[stream.known])
    for question in WEIGHED:
        answers = unit[[stream.fact(question, answer) for answer in QUESTIONS[question]]]
        reads = 2 * answers - answers.sum(0)
        _add_choices(units, reads - digits if question == "style" else reads, answers)
    taken = [*_numbers(stream.region), stream.known]
    taken += [stream.layout.facts.start + fact for fact in (*_facts(), *_facts(shared=True))]
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
    vectors[:, stream.identity] = _spread(count, width).half().float()
    return vectors


@cache
def _spread(count: int, width: int) -> Tensor:
    """Return unit vectors, (count, width), as little alike as can be.

    In a near draw between two things, likeness adds to the one what speaks for the other. In turns,
    products are made small, and vectors are found for them that are so wide: alternating projection
    (https://doi.org/10.1109/TIT.2004.839492).
    """
    if count <= width:
        return torch.eye(width)[:count]
    generator = torch.Generator().manual_seed(0)
    vectors = functional.normalize(torch.randn(count, width, generator=generator), dim=1)
    for _ in range(SPREADINGS):
        products = (vectors @ vectors.T).clamp(-LEAST_ALIKE, LEAST_ALIKE).fill_diagonal_(1)
        values, directions = torch.linalg.eigh(products)
        vectors = directions[:, -width:] * values[-width:].clamp(min=0).sqrt()
        vectors = functional.normalize(vectors, dim=1)
    return vectors


def _firsts(stream: Stream) -> Tensor:
    """Return what is 1 at the first slot of each part, 0 at words and not above at other slots."""
    numbers = stream.first_slot
    return torch.eye(stream.width)[numbers].sum(0) - (len(numbers) - 1) * stream.slot


def _first_of(thing: int, stream: Stream) -> Tensor:
    """Return the same for one thing's part."""
    whose = torch.eye(stream.width)[stream.companion.marks][thing]
    return _firsts(stream) + whose - stream.slot


def _numbers(where: slice) -> list[int]:
    return [*range(where.start, where.stop)]
