"""Attention that does a part of the work of `looked_up.block_units`, with the heads that are there.

Units that only some slots need are many; heads that only some slots use cost nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from sheepgen.training.looked_up import block_gate, block_maps
from sheepgen.training.looks import BLOCKS
from sheepgen.training.slots import THINGS
from sheepgen.training.stream import ANCHOR_LENGTH, REGION_SCALE
from sheepgen.training.trunk_layers import balance

if TYPE_CHECKING:
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    from sheepgen.training.looks import Looks
    from sheepgen.training.stream import Stream

__all__ = ["blocks_attended", "write_block_attention"]

FOCUS = 200.0
"""How sharply slots look at what they look for, times the root of what a head is wide."""

ANY_PADDING, OWN, SHOWN = 2.0, 10.0, 10.0
"""How much more slots look for padding than for words, for slots of their own thing than of others,
and for slots than for other padding if they show the block. Slots are padding, too, but that number
bears what rounding leaves there, and may be off by one: so the latter two are much."""


def blocks_attended(stream: Stream) -> int:
    """Return how many blocks' codes attention makes, which has as many heads as it has."""
    return min(stream.heads // _heads_a_block(stream), BLOCKS**2)


def _heads_a_block(stream: Stream) -> int:
    size: int = stream.block_code.stop - stream.block_code.start
    return math.ceil(size * stream.heads / stream.width)


def write_block_attention(layer: CLIPEncoderLayer, stream: Stream, looks: Looks) -> None:
    """Let slots that show a block look at slots of their thing, the others at mere padding.

    The former's values are that block's code; the latter's are zero, as nothing is left there.
    """
    wide, room = layer.self_attn, stream.width // stream.heads
    size = stream.block_code.stop - stream.block_code.start
    layer.layer_norm1.weight[:] = ANCHOR_LENGTH / stream.scales
    maps, unit = block_maps(looks), torch.eye(stream.width)
    whose = unit[stream.companion.marks][:THINGS]
    keys = torch.stack([unit[stream.padding], unit[stream.known], *whose])
    out = torch.eye(stream.width)[:, stream.block_code] * REGION_SCALE
    for head in range(blocks_attended(stream) * _heads_a_block(stream)):
        block, piece = divmod(head, _heads_a_block(stream))
        numbers = slice(piece * room, min((piece + 1) * room, size))
        rows = slice(head * room, head * room + numbers.stop - numbers.start)
        wide.v_proj.weight[rows, stream.code] = maps[block].T[numbers]
        wide.v_proj.weight[rows, stream.known] = looks.mean[block, numbers]
        wide.out_proj.weight[:, rows] = out[:, numbers]
        keyed = slice(head * room, head * room + len(keys))
        wide.k_proj.weight[keyed] = keys
        # Slots that do not show it find even their own thing's as far behind other padding.
        step = 2 * SHOWN + 2 * OWN
        gate = step * (block_gate(stream, block) + unit[stream.known])
        wide.q_proj.weight[keyed] = FOCUS * torch.stack([0 * gate, gate, *(OWN * whose)])
        wide.q_proj.bias[keyed] = FOCUS * torch.tensor(
            [ANY_PADDING, SHOWN - 3 * step, *[0.0] * THINGS]
        )
    balance(wide.out_proj.weight, stream)
