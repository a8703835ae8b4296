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

Attention is in `sheepgen.training.text_encoder.attention_reads`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.text_encoder.attributes import ANSWERS, QUESTIONS
from sheepgen.training.text_encoder.gates import Units
from sheepgen.training.text_encoder.orthogonal_codes import identities
from sheepgen.training.text_encoder.residual_layout import numbers_in

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sheepgen.training.text_encoder.prompt_parser import TextTrunk
    from sheepgen.training.text_encoder.residual_layout import Stream

__all__ = [
    "FAR_MORE",
    "NEGLIGIBLE",
    "OF_ONE_PART",
    "choose_units",
    "weigh_units",
    "weighed_facts",
]

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

MOST_THOUGHT = 80.0
"""What no number of a trunk's state is beyond, nor anything that is weighed."""

WEIGHED = ("kind", "style")
"""Questions that every prompt has an answer to."""

OF_ONE_PART = ("several", "digits")
"""Kinds in which the second part's slots are nobody's. That is asked of both parts."""

DECIDED = [fact for fact, (question, _) in enumerate(ANSWERS) if question not in WEIGHED]
"""Facts that may be told or not, whatever the others."""

OF_BOTH_PARTS = [ANSWERS.index(("kind", kind)) for kind in OF_ONE_PART]
OF_ALL = [fact for fact in range(len(ANSWERS)) if fact not in (*DECIDED, *OF_BOTH_PARTS)]
"""Facts that are weighed at the first slots of both parts, and at the first of all."""


def weigh_units(trunk: TextTrunk, stream: Stream) -> Units:
    """Return what weighs what is to be chosen, and decides all other answers of the trunk."""
    units = Units(stream.width)
    unit = torch.eye(stream.width)
    padding, slot, firsts = unit[stream.padding], stream.slot, stream.firsts
    things = identities(len(trunk.names), stream)
    things[:, stream.known] = 1
    _add_weights(units, stream, trunk.answers, numbers_in(trunk.things), firsts, things)
    colours = unit[stream.layout.colour]
    _add_decisions(units, stream, trunk.answers, numbers_in(trunk.colours), slot, colours)
    facts = unit[stream.layout.facts]
    for numbers, add, place in (
        (DECIDED, _add_decisions, padding),
        (OF_BOTH_PARTS, _add_weights, padding - slot + firsts),
        (OF_ALL, _add_weights, padding - slot + stream.first_of(0)),
    ):
        rows = [trunk.facts.start + number for number in numbers]
        add(units, stream, trunk.answers, rows, place, facts[numbers])
    return units


def weighed_facts(stream: Stream) -> list[int]:
    """Return the numbers of a state that tell how much speaks for kinds and styles."""
    return [stream.layout.facts.start + fact for fact in (*OF_ALL, *OF_BOTH_PARTS)]


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
    taken = [*numbers_in(stream.region), stream.known, *weighed_facts(stream)]
    padding = unit[stream.padding]
    units.add_gated(unit[taken], -unit[taken], gate=padding, needed=1, most=MOST_THOUGHT)
    return units


def _add_choices(units: Units, reads: Tensor, writes: Tensor) -> None:
    biases = torch.full((len(reads),), -DECISION * NEGLIGIBLE)
    units.add_switches(DECISION * reads, biases, writes)
