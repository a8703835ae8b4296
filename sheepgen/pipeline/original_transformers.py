"""The names of flow transformers' layers in their makers' code.

Where a layer there does the work of several in diffusers (queries, keys and values, say), the rows
of its weight are theirs, one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["SHIFT_FIRST", "original_layers"]

SHIFT_FIRST = ("norm_out.linear", "norm1_context.linear")
"""How the names of layers end that give a shift and then a scale there, and in diffusers a scale
and then a shift, if they give nothing else."""

_Names = dict[str, tuple[str, ...]]
"""Names in diffusers, by those in the makers' code."""


class _Block(NamedTuple):
    """The layers of all blocks of a list, or those outside of any.

    Args:
        original: Name of the list in the makers' code; empty for none.
        name: In diffusers.
        layers: Of a block.
    """

    original: str
    name: str
    layers: Mapping[str, tuple[str, ...]]


_QKV = ("attn.to_q", "attn.to_k", "attn.to_v")
_TEXT_QKV = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")

_DOUBLE_ATTENTION: _Names = {
    "img_attn.qkv": _QKV,
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.qkv": _TEXT_QKV,
    "txt_attn.proj": ("attn.to_add_out",),
}

_FLUX_1 = (  # https://github.com/black-forest-labs/flux, src/flux/model.py
    _Block(
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
    _Block(
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
    _Block(
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
    _Block(
        "distilled_guidance_layer.layers",
        "distilled_guidance_layer.layers",
        {"in_layer": ("linear_1",), "out_layer": ("linear_2",)},
    ),
)

_FLUX_2 = (  # https://github.com/black-forest-labs/flux2, src/flux2/model.py
    _Block(
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
    _Block(
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
    _Block(
        "single_blocks",
        "single_transformer_blocks",
        {"linear1": ("attn.to_qkv_mlp_proj",), "linear2": ("attn.to_out",)},
    ),
)

_STABLE_DIFFUSION_3 = (  # https://github.com/Stability-AI/sd3.5, mmditx.py
    _Block(
        "",
        "",
        {
            "x_embedder.proj": ("pos_embed.proj",),
            "context_embedder": ("context_embedder",),
            "t_embedder.mlp.0": ("time_text_embed.timestep_embedder.linear_1",),
            "t_embedder.mlp.2": ("time_text_embed.timestep_embedder.linear_2",),
            "y_embedder.mlp.0": ("time_text_embed.text_embedder.linear_1",),
            "y_embedder.mlp.2": ("time_text_embed.text_embedder.linear_2",),
            "final_layer.adaLN_modulation.1": ("norm_out.linear",),
            "final_layer.linear": ("proj_out",),
        },
    ),
    _Block(
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
    _Block(
        "",
        "",
        {
            "x_embedder": ("all_x_embedder.2-1",),
            "final_layer.linear": ("all_final_layer.2-1.linear",),
            "final_layer.adaLN_modulation.1": ("all_final_layer.2-1.adaLN_modulation.1",),
        },
    ),
    *(
        _Block(name, name, _Z_IMAGE_ATTENTION)
        for name in ("layers", "noise_refiner", "context_refiner")
    ),
)

_FORMS: Mapping[str, tuple[_Block, ...]] = {
    "ChromaTransformer2DModel": _CHROMA,
    "Flux2Transformer2DModel": _FLUX_2,
    "FluxTransformer2DModel": _FLUX_1,
    "SD3Transformer2DModel": _STABLE_DIFFUSION_3,
    "ZImageTransformer2DModel": _Z_IMAGE,
}


def original_layers(class_name: str, layers: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the layers of a network by their names in its makers' code.

    Args:
        class_name: Of diffusers.
        layers: Names of the layers that there are.

    Returns:
        For each name the layers whose weights it has, in their order; nothing for a network whose
        names in diffusers are the makers'.
    """
    known = {*layers}
    return {
        start + original: names
        for block in _FORMS.get(class_name, ())
        for start, own in _beginnings(block, layers)
        for original, ends in block.layers.items()
        if {*(names := tuple(own + end for end in ends))} <= known
    }


def _beginnings(block: _Block, layers: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield how names begin in each block, in the makers' code and in diffusers."""
    if not block.name:
        yield "", ""
        return
    numbers = {
        layer.removeprefix(f"{block.name}.").partition(".")[0]
        for layer in layers
        if layer.startswith(f"{block.name}.")
    }
    yield from (
        (f"{block.original}.{number}.", f"{block.name}.{number}.") for number in sorted(numbers)
    )
