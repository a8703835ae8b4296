"""Attention with which slots fetch what was weighed elsewhere, so that all choose alike.

It is between the perceptrons of `sheepgen.training.text_encoder.argmax`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from sheepgen.training.data.scene import RELATIONS
from sheepgen.training.text_encoder.argmax import FAR_MORE, NEGLIGIBLE, OF_ONE_PART, weighed_facts
from sheepgen.training.text_encoder.attributes import QUESTIONS
from sheepgen.training.text_encoder.memory_tokens import THINGS
from sheepgen.training.text_encoder.residual_layout import ANCHOR_LENGTH, numbers_in
from sheepgen.training.text_encoder.trunk_layers import balance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    from sheepgen.training.text_encoder.residual_layout import Stream

__all__ = ["write_fetching"]

OWN_PART = 4 * NEGLIGIBLE
"""How much more than nothing a part's slots ask its own: places are told with small errors, which
must not tip it."""

FOCUS = (4_000.0, 16.0)
"""How sharply slots look at what is to be fetched, in queries and in keys."""


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
    first, second = (stream.first_of(thing) for thing in range(THINGS))
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
    things = [*numbers_in(stream.identity), stream.known]
    heads = _Heads(layer, stream)
    heads.add(things, thing, 1)
    heads.add(things, own, -1)
    heads.add(weighed_facts(stream), kinds, 1)
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
