"""Attention that does a part of the work of `looked_up.block_units`, with the heads that are there.

Units that only some slots need are many; heads that only some slots use cost nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from sheepgen.training.text_encoder.appearance import BLOCKS
from sheepgen.training.text_encoder.codebook_lookup import block_gate, block_maps
from sheepgen.training.text_encoder.memory_tokens import THINGS
from sheepgen.training.text_encoder.residual_layout import ANCHOR_LENGTH, REGION_SCALE
from sheepgen.training.text_encoder.trunk_layers import balance

if TYPE_CHECKING:
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    from sheepgen.training.text_encoder.appearance import Looks
    from sheepgen.training.text_encoder.residual_layout import Stream

__all__ = ["blocks_attended", "write_block_attention"]

FOCUS = 200.0
"""How sharply slots look at what they look for, times the root of what a head is wide."""

ANY_PADDING, OWN, UNTOLD, SHOWN = 2.0, 10.0, 10.0, 10.0
"""How much more slots look for padding than for words, for slots of their own thing than of others,
for those that show a block of the same rows, whose codes are no blocks' yet, and for slots than for
other padding if they show the block. Slots are padding, too, but that number bears what rounding
leaves there, and may be off by one: so all but the first are much."""


def blocks_attended(stream: Stream) -> tuple[range, range]:
    """Return which blocks' codes attention makes: in one layer, and in the next.

    It has as many heads as it has; those of the next tell the last whole rows.
    """
    blocks = BLOCKS**2
    at_once = min(stream.heads // _heads_a_block(stream), blocks)
    rows = min(at_once, blocks - at_once) // BLOCKS
    return range(at_once), range(blocks - rows * BLOCKS, blocks)


def _heads_a_block(stream: Stream) -> int:
    size: int = stream.block_code.stop - stream.block_code.start
    return math.ceil(size * stream.heads / stream.width)


def write_block_attention(
    layer: CLIPEncoderLayer, stream: Stream, looks: Looks, blocks: range
) -> None:
    """Let slots that show a block look at slots of their thing, the others at mere padding.

    The former's values are that block's code; the latter's are zero, as nothing is left there.

    Args:
        layer: Where it is written.
        stream: Where codes are.
        looks: What they are.
        blocks: Which are told; in other rows, others may have been.
    """
    wide, room = layer.self_attn, stream.width // stream.heads
    size = stream.block_code.stop - stream.block_code.start
    rows = {block // BLOCKS for block in blocks}
    layer.layer_norm1.weight[:] = ANCHOR_LENGTH / stream.scales
    maps, unit = block_maps(looks), torch.eye(stream.width)
    whose = unit[stream.companion.marks][:THINGS]
    untold = unit[stream.alone.block_rows][[row in rows for row in range(BLOCKS)]].sum(0)
    keys = torch.stack([unit[stream.padding], unit[stream.known], untold, *whose])
    out = torch.eye(stream.width)[:, stream.block_code] * REGION_SCALE
    for head in range(len(blocks) * _heads_a_block(stream)):
        number, piece = divmod(head, _heads_a_block(stream))
        block = blocks[number]
        numbers = slice(piece * room, min((piece + 1) * room, size))
        told = slice(head * room, head * room + numbers.stop - numbers.start)
        wide.v_proj.weight[told, stream.code] = maps[block].T[numbers]
        wide.v_proj.weight[told, stream.known] = looks.mean[block, numbers]
        wide.out_proj.weight[:, told] = out[:, numbers]
        keyed = slice(head * room, head * room + len(keys))
        wide.k_proj.weight[keyed] = keys
        # Slots that do not show it find even their own thing's as far behind other padding.
        step = 2 * (SHOWN + OWN + UNTOLD)
        gate = step * (block_gate(stream, block) + unit[stream.known])
        wide.q_proj.weight[keyed] = FOCUS * torch.stack([0 * gate, gate, 0 * gate, *(OWN * whose)])
        wide.q_proj.bias[keyed] = FOCUS * torch.tensor(
            [ANY_PADDING, SHOWN - 3 * step, UNTOLD, *[0.0] * THINGS]
        )
    balance(wide.out_proj.weight, stream)
