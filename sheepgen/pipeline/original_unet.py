"""The names of a U-Net's layers in Stable Diffusion's original code."""

from __future__ import annotations

import re

__all__ = ["original_name"]

_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
}

_IN_RESNET = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}


def original_name(layer: str, layers_per_block: int) -> str:
    """Return a U-Net layer's name in Stable Diffusion's original code; empty if it has none."""
    if layer in _ENDS:
        return _ENDS[layer]
    if match := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", layer):
        place = 1 if match[1] == "attentions" else 2 * int(match[2])
        return f"middle_block.{place}.{_IN_RESNET.get(match[3], match[3])}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", layer)
    if match is None:
        return ""
    side, kind, inside = match[1], match[3], _IN_RESNET.get(match[5], match[5])
    block, number = int(match[2]), int(match[4])
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers_per_block + 1)}.0.op"
    if kind == "upsamplers":
        # After the attention where there is one; the name with 1 is that of a block without.
        return f"output_blocks.{block * (layers_per_block + 1) + layers_per_block}.2.conv"
    place = 1 if kind == "attentions" else 0
    if side == "down":
        return f"input_blocks.{block * (layers_per_block + 1) + number + 1}.{place}.{inside}"
    return f"output_blocks.{block * (layers_per_block + 1) + number}.{place}.{inside}"
