"""The layers of transformers by their names in diffusers and in their makers' code.

Where a layer there does the work of several in diffusers (queries, keys and values, say), the rows
of its weight are theirs, one after another. `sheepgen.pipeline.original_transformers` reads this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ORIGINAL_BLOCKS", "Block"]

_Names = dict[str, tuple[str, ...]]
"""Names in diffusers, by those in the makers' code."""


class Block(NamedTuple):
    """The layers of all blocks of a list, or those outside of any.

    Of families whose files sheepgen converts by itself, also norms and tables.

    Args:
        original: Name of the list in the makers' code; empty for none.
        name: In diffusers.
        layers: Of a block.
    """

    original: str
    name: str
    layers: Mapping[str, tuple[str, ...]]


def _embedder(original: str, name: str) -> _Names:
    return {f"{original}.mlp.0": (f"{name}.linear_1",), f"{original}.mlp.2": (f"{name}.linear_2",)}


_QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
_TEXT_QKV = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")

_DOUBLE_ATTENTION: _Names = {
    "img_attn.qkv": _QKV,
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.qkv": _TEXT_QKV,
    "txt_attn.proj": ("attn.to_add_out",),
}

_FLUX_1 = (  # https://github.com/black-forest-labs/flux, src/flux/model.py
    Block(
        "",
        "",
        {
            "img_in": ("x_embedder",),
            "txt_in": ("context_embedder",),
            "time_in.in_layer": ("time_text_embed.timestep_embedder.linear_1",),
            "time_in.out_layer": ("time_text_embed.timestep_embedder.linear_2",),
            "vector_in.in_layer": ("time_text_embed.text_embedder.linear_1",),
            "vector_in.out_layer": ("time_text_embed.text_embedder.linear_2",),
            "guidance_in.in_layer": ("time_text_embed.guidance_embedder.linear_1",),
            "guidance_in.out_layer": ("time_text_embed.guidance_embedder.linear_2",),
            "final_layer.adaLN_modulation.1": ("norm_out.linear",),
            "final_layer.linear": ("proj_out",),
        },
    ),
    Block(
        "double_blocks",
        "transformer_blocks",
        {
            **_DOUBLE_ATTENTION,
            "img_mod.lin": ("norm1.linear",),
            "img_mlp.0": ("ff.net.0.proj",),
            "img_mlp.2": ("ff.net.2",),
            "txt_mod.lin": ("norm1_context.linear",),
            "txt_mlp.0": ("ff_context.net.0.proj",),
            "txt_mlp.2": ("ff_context.net.2",),
            # As XLabs' code names what it adds, https://github.com/XLabs-AI/x-flux
            "qkv_lora1": _QKV,
            "proj_lora1": ("attn.to_out.0",),
            "qkv_lora2": _TEXT_QKV,
            "proj_lora2": ("attn.to_add_out",),
        },
    ),
    Block(
        "single_blocks",
        "single_transformer_blocks",
        {
            "linear1": (*_QKV, "proj_mlp"),
            "linear2": ("proj_out",),
            "modulation.lin": ("norm.linear",),
            "qkv": _QKV,  # XLabs'
            "proj": ("proj_out",),
        },
    ),
)

_CHROMA = (  # https://github.com/lodestone-rock/flow, src/models/chroma: FLUX.1 without modulation
    *_FLUX_1,
    Block(
        "distilled_guidance_layer.layers",
        "distilled_guidance_layer.layers",
        {"in_layer": ("linear_1",), "out_layer": ("linear_2",)},
    ),
)

_FLUX_2 = (  # https://github.com/black-forest-labs/flux2, src/flux2/model.py
    Block(
        "",
        "",
        {
            "img_in": ("x_embedder",),
            "txt_in": ("context_embedder",),
            "time_in.in_layer": ("time_guidance_embed.timestep_embedder.linear_1",),
            "time_in.out_layer": ("time_guidance_embed.timestep_embedder.linear_2",),
            "double_stream_modulation_img.lin": ("double_stream_modulation_img.linear",),
            "double_stream_modulation_txt.lin": ("double_stream_modulation_txt.linear",),
            "single_stream_modulation.lin": ("single_stream_modulation.linear",),
            "final_layer.adaLN_modulation.1": ("norm_out.linear",),
            "final_layer.linear": ("proj_out",),
        },
    ),
    Block(
        "double_blocks",
        "transformer_blocks",
        {
            **_DOUBLE_ATTENTION,
            "img_mlp.0": ("ff.linear_in",),
            "img_mlp.2": ("ff.linear_out",),
            "txt_mlp.0": ("ff_context.linear_in",),
            "txt_mlp.2": ("ff_context.linear_out",),
        },
    ),
    Block(
        "single_blocks",
        "single_transformer_blocks",
        {"linear1": ("attn.to_qkv_mlp_proj",), "linear2": ("attn.to_out",)},
    ),
)

_STABLE_DIFFUSION_3 = (  # https://github.com/Stability-AI/sd3.5, mmditx.py
    Block(
        "",
        "",
        {
            "x_embedder.proj": ("pos_embed.proj",),
            "context_embedder": ("context_embedder",),
            **_embedder("t_embedder", "time_text_embed.timestep_embedder"),
            **_embedder("y_embedder", "time_text_embed.text_embedder"),
            "final_layer.adaLN_modulation.1": ("norm_out.linear",),
            "final_layer.linear": ("proj_out",),
        },
    ),
    Block(
        "joint_blocks",
        "transformer_blocks",
        {
            "x_block.attn.qkv": _QKV,
            "x_block.attn.proj": ("attn.to_out.0",),
            "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
            "x_block.attn2.proj": ("attn2.to_out.0",),
            "x_block.mlp.fc1": ("ff.net.0.proj",),
            "x_block.mlp.fc2": ("ff.net.2",),
            "x_block.adaLN_modulation.1": ("norm1.linear",),
            "context_block.attn.qkv": _TEXT_QKV,
            "context_block.attn.proj": ("attn.to_add_out",),
            "context_block.mlp.fc1": ("ff_context.net.0.proj",),
            "context_block.mlp.fc2": ("ff_context.net.2",),
            "context_block.adaLN_modulation.1": ("norm1_context.linear",),
        },
    ),
)

_Z_IMAGE_ATTENTION: _Names = {
    "attention.qkv": ("attention.to_q", "attention.to_k", "attention.to_v"),
    "attention.out": ("attention.to_out.0",),
}

_Z_IMAGE = (  # https://github.com/Tongyi-MAI/Z-Image
    Block(
        "",
        "",
        {
            "x_embedder": ("all_x_embedder.2-1",),
            "final_layer.linear": ("all_final_layer.2-1.linear",),
            "final_layer.adaLN_modulation.1": ("all_final_layer.2-1.adaLN_modulation.1",),
        },
    ),
    *(
        Block(name, name, _Z_IMAGE_ATTENTION)
        for name in ("layers", "noise_refiner", "context_refiner")
    ),
)

_LUMINA_2_BLOCK: _Names = {
    "attention.qkv": _QKV,
    "attention.out": ("attn.to_out.0",),
    "attention.q_norm": ("attn.norm_q",),
    "attention.k_norm": ("attn.norm_k",),
    "attention_norm2": ("norm2",),
    **{f"feed_forward.w{each}": (f"feed_forward.linear_{each}",) for each in (1, 2, 3)},
}
_LUMINA_2_PLAIN: _Names = {**_LUMINA_2_BLOCK, "attention_norm1": ("norm1",)}
_LUMINA_2_MODULATED: _Names = {
    **_LUMINA_2_BLOCK,
    "attention_norm1": ("norm1.norm",),
    "adaLN_modulation.1": ("norm1.linear",),
}

_LUMINA_2 = (  # https://github.com/Alpha-VLLM/Lumina-Image-2.0, models/model.py
    Block(
        "",
        "",
        {
            "cap_embedder.0": ("time_caption_embed.caption_embedder.0",),
            "cap_embedder.1": ("time_caption_embed.caption_embedder.1",),
            **_embedder("t_embedder", "time_caption_embed.timestep_embedder"),
            "final_layer.adaLN_modulation.1": ("norm_out.linear_1",),
            "final_layer.linear": ("norm_out.linear_2",),
        },
    ),
    Block("layers", "layers", _LUMINA_2_MODULATED),
    Block("noise_refiner", "noise_refiner", _LUMINA_2_MODULATED),
    Block("context_refiner", "context_refiner", _LUMINA_2_PLAIN),
)

_CROSS_ATTENTION: _Names = {
    "attn.qkv": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "attn.proj": ("attn1.to_out.0",),
    "attn.q_norm": ("attn1.norm_q",),
    "attn.k_norm": ("attn1.norm_k",),
    "cross_attn.q_linear": ("attn2.to_q",),
    "cross_attn.kv_linear": ("attn2.to_k", "attn2.to_v"),
    "cross_attn.proj": ("attn2.to_out.0",),
    "cross_attn.q_norm": ("attn2.norm_q",),
    "cross_attn.k_norm": ("attn2.norm_k",),
    "scale_shift_table": ("scale_shift_table",),
}
_CAPTION: _Names = {
    "y_embedder.y_proj.fc1": ("caption_projection.linear_1",),
    "y_embedder.y_proj.fc2": ("caption_projection.linear_2",),
    "final_layer.linear": ("proj_out",),
    "final_layer.scale_shift_table": ("scale_shift_table",),
}

_PIXART = (  # https://github.com/PixArt-alpha/PixArt-sigma, diffusion/model/nets/PixArtMS.py
    Block(
        "",
        "",
        {
            **_CAPTION,
            "x_embedder.proj": ("pos_embed.proj",),
            **_embedder("t_embedder", "adaln_single.emb.timestep_embedder"),
            **_embedder("csize_embedder", "adaln_single.emb.resolution_embedder"),
            **_embedder("ar_embedder", "adaln_single.emb.aspect_ratio_embedder"),
            "t_block.1": ("adaln_single.linear",),
        },
    ),
    Block(
        "blocks",
        "transformer_blocks",
        {**_CROSS_ATTENTION, "mlp.fc1": ("ff.net.0.proj",), "mlp.fc2": ("ff.net.2",)},
    ),
)

_SANA = (  # https://github.com/NVlabs/Sana, diffusion/model/nets/sana_multi_scale.py
    Block(
        "",
        "",
        {
            **_CAPTION,
            "x_embedder.proj": ("patch_embed.proj",),
            **_embedder("t_embedder", "time_embed.emb.timestep_embedder"),
            "t_block.1": ("time_embed.linear",),
            "attention_y_norm": ("caption_norm",),
        },
    ),
    Block(
        "blocks",
        "transformer_blocks",
        {
            **_CROSS_ATTENTION,
            "mlp.inverted_conv.conv": ("ff.conv_inverted",),
            "mlp.depth_conv.conv": ("ff.conv_depth",),
            "mlp.point_conv.conv": ("ff.conv_point",),
        },
    ),
)

ORIGINAL_BLOCKS: Mapping[str, tuple[Block, ...]] = {
    "ChromaTransformer2DModel": _CHROMA,
    "Flux2Transformer2DModel": _FLUX_2,
    "FluxTransformer2DModel": _FLUX_1,
    "Lumina2Transformer2DModel": _LUMINA_2,
    "PixArtTransformer2DModel": _PIXART,
    "SD3Transformer2DModel": _STABLE_DIFFUSION_3,
    "SanaTransformer2DModel": _SANA,
    "ZImageTransformer2DModel": _Z_IMAGE,
}
"""By the name of the class in diffusers."""
