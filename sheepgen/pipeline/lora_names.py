"""The names that programs have for the layers of a model, in the files of LoRAs.

    kohya        lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q
                 lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q (Stable Diffusion XL)
                 lora_te_text_model_encoder_layers_0_mlp_fc1; te1 and te2 of two text encoders
    diffusers    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q
                 text_encoder.text_model.encoder.layers.0.mlp.fc1
    its first    …attn1.processor.to_q_lora
    PEFT         base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q

Every layer is looked up by all its names, made from the model itself. So no name has to be taken
apart, and one that is not found is known to be another model's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["layer_aliases", "original_name"]

_TEXT_ENCODERS = {
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
}

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


def layer_aliases(component: str, layer: str, layers_per_block: int) -> Iterator[str]:
    """Yield all names of a layer.

    Args:
        component: ``unet``, ``text_encoder`` or ``text_encoder_2``.
        layer: Its name there, as torch has it.
        layers_per_block: Of the U-Net.
    """
    if component == "unet":
        original = original_name(layer, layers_per_block)
        for name in filter(None, (layer, original)):
            yield f"lora_unet_{name.replace('.', '_')}"
        yield from (f"unet.{layer}", layer, f"base_model.model.{layer}")
        if original:
            yield f"diffusion_model.{original}"
        return
    short = layer.removeprefix("text_model.")
    for name in (short, f"text_model.{short}"):
        for prefix in _TEXT_ENCODERS[component]:
            yield f"{prefix}{name.replace('.', '_')}"
        yield f"{component}.{name}"


def original_name(layer: str, layers_per_block: int) -> str:
    """Return a U-Net layer's name in Stable Diffusion's first code; empty if it has none."""
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
