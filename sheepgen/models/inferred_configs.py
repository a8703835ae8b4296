"""Configs that follow from the shapes of weights, for files that have none.

Weights are named as in Stable Diffusion's first code, a VAE's also as in diffusers.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sheepgen.models.layouts import Layout, TextEncoder

__all__ = [
    "Shapes",
    "clip_config",
    "openclip_config",
    "sd3_transformer_config",
    "unet_config",
    "vae_config",
]

Shapes = dict[str, tuple[int, ...]]
"""Shapes of a component's weights, by their names in the file without the component's prefix."""

_CHANNELS_PER_HEAD = 64

_MID_ATTENTION = ("encoder.mid.attn_1.", "encoder.mid_block.attentions.")


def unet_config(shapes: Shapes, layout: Layout, sample_size: list[int]) -> dict[str, Any]:
    """Return the config of a U-Net.

    Args:
        shapes: Of its weights.
        layout: Of the file.
        sample_size: Height and width of the latents.

    Raises:
        ModelError: If its blocks are not those of Stable Diffusion's U-Net.
    """
    levels = [*_levels(shapes)]
    blocks, depths = zip(*(_level(level) for level in levels), strict=True)
    layers = {len(level) for level in levels}
    if len(layers) != 1:
        raise _unknown("its U-Net has not as many layers in each block")
    channels = [*map(int, blocks)]
    attends = [depth > 0 for depth in depths]
    proj_in = _first(shapes, ".1.proj_in.weight")
    config = {
        "in_channels": _shape(shapes, "input_blocks.0.0.weight", 4)[1],
        "out_channels": _shape(shapes, "out.2.weight", 4)[0],
        "sample_size": sample_size,
        "block_out_channels": channels,
        "layers_per_block": layers.pop(),
        "down_block_types": [
            "CrossAttnDownBlock2D" if attention else "DownBlock2D" for attention in attends
        ],
        "up_block_types": [
            "CrossAttnUpBlock2D" if attention else "UpBlock2D" for attention in reversed(attends)
        ],
        "transformer_layers_per_block": [max(1, depth) for depth in depths],
        "attention_head_dim": layout.heads or [side // _CHANNELS_PER_HEAD for side in channels],
        "cross_attention_dim": _first(shapes, ".attn2.to_k.weight")[1],
        "use_linear_projection": len(proj_in) == 2,
    }
    if condition := shapes.get("time_embed.cond_proj.weight"):
        config["time_cond_proj_dim"] = condition[-1]  # Latent Consistency: it reads the guidance
    if sizes := shapes.get("label_emb.0.0.weight"):
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": sizes[-1],
        }
    return config


def _levels(shapes: Shapes) -> Iterator[list[tuple[int, int]]]:
    """Yield the channels and the depth of attention of each layer of each level."""
    level: list[tuple[int, int]] = []
    for number in count(1):
        block = f"input_blocks.{number}"
        if f"{block}.0.op.weight" in shapes:
            yield level
            level = []
        elif f"{block}.0.in_layers.2.weight" in shapes:
            channels = _shape(shapes, f"{block}.0.in_layers.2.weight", 4)[0]
            depth = _number_of(shapes, f"{block}.1.transformer_blocks.{{}}.norm1.weight")
            level.append((channels, depth))
        else:
            yield level
            return


def _level(layers: list[tuple[int, int]]) -> tuple[int, int]:
    if len({*layers}) != 1:
        raise _unknown("the layers of its U-Net differ within a block")
    return layers[0]


def sd3_transformer_config(shapes: Shapes, sample_size: list[int]) -> dict[str, Any]:
    """Return the config of Stable Diffusion 3's transformer.

    Args:
        shapes: Of its weights.
        sample_size: Height and width of the latents, which are one number to it.

    Raises:
        ModelError: If weights are missing that all of them have.
    """
    width, channels, patch, _ = _shape(shapes, "x_embedder.proj.weight", 4)
    layers = _number_of(shapes, "joint_blocks.{}.x_block.attn.qkv.weight")
    rows = _shape(shapes, "context_embedder.weight", 2)
    out = _shape(shapes, "final_layer.linear.weight", 2)
    return {
        "sample_size": min(sample_size),
        "patch_size": patch,
        "in_channels": channels,
        "out_channels": out[0] // patch**2,
        "num_layers": layers,
        "attention_head_dim": _CHANNELS_PER_HEAD,
        "num_attention_heads": width // _CHANNELS_PER_HEAD,
        "joint_attention_dim": rows[1],
        "caption_projection_dim": rows[0],
        "pooled_projection_dim": _shape(shapes, "y_embedder.mlp.0.weight", 2)[1],
        "pos_embed_max_size": math.isqrt(_shape(shapes, "pos_embed", 3)[1]),
        "dual_attention_layers": [
            layer
            for layer in range(layers)
            if f"joint_blocks.{layer}.x_block.attn2.qkv.weight" in shapes
        ],
        "qk_norm": "rms_norm" if "joint_blocks.0.x_block.attn.ln_q.weight" in shapes else None,
    }


def vae_config(shapes: Shapes, unsaid: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a VAE, by its first names or by diffusers'.

    Args:
        shapes: Of its weights.
        unsaid: Settings that no weight says, such as the scale of the latents.

    Raises:
        ModelError: If it is not one of Stable Diffusion's.
    """
    layer = "encoder.down.{}.block.{}.conv1.weight"
    if "encoder.down_blocks.0.resnets.0.conv1.weight" in shapes:
        layer = "encoder.down_blocks.{}.resnets.{}.conv1.weight"
    levels = next(number for number in count() if layer.format(number, 0) not in shapes)
    if not levels:
        raise _unknown("it has no VAE of Stable Diffusion's")
    return {
        "in_channels": _shape(shapes, "encoder.conv_in.weight", 4)[1],
        "out_channels": _shape(shapes, "decoder.conv_out.weight", 4)[0],
        "latent_channels": _shape(shapes, "decoder.conv_in.weight", 4)[1],
        "block_out_channels": [
            _shape(shapes, layer.format(number, 0), 4)[0] for number in range(levels)
        ],
        "layers_per_block": next(
            number for number in count() if layer.format(0, number) not in shapes
        ),
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "mid_block_add_attention": any(name.startswith(_MID_ATTENTION) for name in shapes),
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
        **unsaid,
    }


def clip_config(shapes: Shapes, encoder: TextEncoder) -> dict[str, Any]:
    """Return the config of a text encoder that has its weights as transformers names them."""
    short = {name.removeprefix("text_model."): shape for name, shape in shapes.items()}
    vocabulary, hidden = _shape(short, "embeddings.token_embedding.weight", 2)
    projection: tuple[int, ...] = (hidden,)
    if encoder.is_projected:
        projection = short.get("text_projection.weight", projection)
    return {
        **_text_config(vocabulary, hidden),
        "hidden_act": encoder.hidden_act,
        "intermediate_size": _shape(short, "encoder.layers.0.mlp.fc1.weight", 2)[0],
        "max_position_embeddings": _shape(short, "embeddings.position_embedding.weight", 2)[0],
        "num_hidden_layers": _number_of(short, "encoder.layers.{}.mlp.fc1.weight"),
        "projection_dim": projection[0],
        "is_projected": encoder.is_projected,
    }


def openclip_config(shapes: Shapes, encoder: TextEncoder) -> dict[str, Any]:
    """Return the config of a text encoder that has its weights as OpenCLIP names them."""
    vocabulary, hidden = _shape(shapes, "token_embedding.weight", 2)
    return {
        **_text_config(vocabulary, hidden),
        "hidden_act": encoder.hidden_act,
        "intermediate_size": _shape(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 2)[0],
        "max_position_embeddings": _shape(shapes, "positional_embedding", 2)[0],
        "num_hidden_layers": min(
            encoder.layers, _number_of(shapes, "transformer.resblocks.{}.mlp.c_fc.weight")
        ),
        "projection_dim": shapes.get("text_projection", (hidden, hidden))[-1],
    }


def _text_config(vocabulary: int, hidden: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "num_attention_heads": hidden // _CHANNELS_PER_HEAD,
        # As in CLIP's own config. The end of a text is where the largest token is.
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }


def _number_of(shapes: Shapes, name: str) -> int:
    """Return how many weights are numbered from 0 on under such a name."""
    return next(number for number in count() if name.format(number) not in shapes)


def _first(shapes: Shapes, ending: str) -> tuple[int, ...]:
    """Return the shape of the U-Net's first weight whose name ends like this."""
    for name, shape in shapes.items():
        if name.startswith("input_blocks.") and name.endswith(ending) and len(shape) > 1:
            return shape
    raise _unknown(f"no weight of its U-Net is called {ending}")


def _shape(shapes: Shapes, name: str, dimensions: int) -> tuple[int, ...]:
    shape = shapes.get(name, ())
    if len(shape) != dimensions:
        raise _unknown(f"{excerpt(name)} is missing or of another shape")
    return shape


def _unknown(why: str) -> ModelError:
    return ModelError(
        f"The file is not a model of a known layout: {why}.",
        "Convert it to a diffusers folder where it comes from.",
    )
