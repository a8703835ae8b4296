"""LoRAs of flow transformers: which layers each family's change, and the layouts they come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from diffusers import (
    ChromaPipeline,
    Flux2KleinPipeline,
    FluxPipeline,
    Lumina2Pipeline,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    QwenImagePipeline,
    SanaPipeline,
    StableDiffusion3Pipeline,
    ZImagePipeline,
)

from tests.tiny_chroma import save_tiny_chroma
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_flux2_klein import save_tiny_flux2_klein
from tests.tiny_lumina2 import save_tiny_lumina2
from tests.tiny_pixart import save_tiny_pixart
from tests.tiny_qwen_image import save_tiny_qwen_image
from tests.tiny_sana import save_tiny_sana
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def save_tiny_pixart_alpha(folder: Path) -> Path:
    return save_tiny_pixart(folder, alpha=True)


_ATTENTION = ("attn.to_q", "attn.to_k", "attn.to_v")
_TEXT_ATTENTION = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")


def _in(block: str, layers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{block}.{layer}" for layer in layers)


_DOUBLE = {
    "double_blocks.0.img_attn.qkv": _in("transformer_blocks.0", _ATTENTION),
    "double_blocks.0.txt_attn.qkv": _in("transformer_blocks.0", _TEXT_ATTENTION),
    "double_blocks.0.img_attn.proj": ("transformer_blocks.0.attn.to_out.0",),
    "double_blocks.0.txt_attn.proj": ("transformer_blocks.0.attn.to_add_out",),
}
_FLUX_1 = {
    **_DOUBLE,
    "double_blocks.0.img_mlp.0": ("transformer_blocks.0.ff.net.0.proj",),
    "double_blocks.0.txt_mlp.2": ("transformer_blocks.0.ff_context.net.2",),
    "single_blocks.1.linear2": ("single_transformer_blocks.1.proj_out",),
}
_MODULATION = {
    "double_blocks.0.img_mod.lin": ("transformer_blocks.0.norm1.linear",),
    "single_blocks.0.modulation.lin": ("single_transformer_blocks.0.norm.linear",),
}
_XLABS = {
    "double_blocks.0.processor.qkv_lora1": _in("transformer_blocks.0", _ATTENTION),
    "double_blocks.0.processor.qkv_lora2": _in("transformer_blocks.0", _TEXT_ATTENTION),
    "double_blocks.0.processor.proj_lora1": ("transformer_blocks.0.attn.to_out.0",),
    "double_blocks.0.processor.proj_lora2": ("transformer_blocks.0.attn.to_add_out",),
    "single_blocks.1.processor.qkv_lora": _in("single_transformer_blocks.1", _ATTENTION),
    "single_blocks.1.processor.proj_lora": ("single_transformer_blocks.1.proj_out",),
}
"""Layers in diffusers, by their names in the makers' code and in XLabs'."""


def _same(*layers: str) -> dict[str, tuple[str, ...]]:
    return {layer: (layer,) for layer in layers}


_SMALL = _same(
    "transformer_blocks.0.attn1.to_q",
    "transformer_blocks.1.attn1.to_out.0",
    "transformer_blocks.0.attn2.to_k",
    "transformer_blocks.0.attn2.to_v",
    "caption_projection.linear_1",
    "proj_out",
)
_ORIGINAL_SMALL = {
    "blocks.0.attn.qkv": _in("transformer_blocks.0.attn1", ("to_q", "to_k", "to_v")),
    "blocks.0.cross_attn.kv_linear": _in("transformer_blocks.0.attn2", ("to_k", "to_v")),
    "blocks.1.cross_attn.proj": ("transformer_blocks.1.attn2.to_out.0",),
    "y_embedder.y_proj.fc2": ("caption_projection.linear_2",),
}
"""Layers of PixArt's and Sana's transformers."""


class Layout(NamedTuple):
    """How a program names the tensors of a LoRA.

    Args:
        prefix: How names begin.
        down: How those of the first matrix end.
        up: Likewise, of the second.
        is_flat: Whether the dots between become underscores.
        has_alphas: Whether it writes them.
    """

    prefix: str
    down: str
    up: str
    is_flat: bool = False
    has_alphas: bool = True


_DOWN, _UP = ".lora_down.weight", ".lora_up.weight"
_A, _B = ".lora_A.weight", ".lora_B.weight"

KOHYA = Layout("lora_unet_", _DOWN, _UP, is_flat=True)
COMFY = Layout("diffusion_model.", _A, _B)
COMFY_DOWN = Layout("diffusion_model.", _DOWN, _UP)
AI_TOOLKIT = COMFY._replace(has_alphas=False)
PEFT = Layout("base_model.model.", _A, _B, has_alphas=False)
LIGHTNING = Layout("", _DOWN, _UP)
DIFFSYNTH = Layout("", ".lora_A.default.weight", ".lora_B.default.weight", has_alphas=False)
ONE_TRAINER = Layout("lora_transformer_", _DOWN, _UP, is_flat=True)
LYCORIS = Layout("lycoris_", _DOWN, _UP, is_flat=True)
XLABS = Layout("", ".down.weight", ".up.weight", has_alphas=False)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A family, and the layouts that its LoRAs come in.

    Args:
        save: Writes a tiny model.
        pipeline: Of diffusers.
        layers: Layers in diffusers, by the names of what is trained.
        layouts: Those that diffusers reads, too.
        own: Those that it does not read, or not whole.
        text: Text encoders that LoRAs change.
        inputs: What diffusers' pipeline is called with.
    """

    save: Callable[[Path], Path]
    pipeline: type[Any]
    layers: dict[str, tuple[str, ...]]
    layouts: dict[str, Layout]
    own: dict[str, Layout] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    inputs: dict[str, Any] = field(default_factory=dict)


CASES = {
    "FLUX.1": Case(
        save=save_tiny_flux1,
        pipeline=FluxPipeline,
        layers=_FLUX_1 | _MODULATION,
        layouts={"kohya": KOHYA, "ComfyUI": COMFY_DOWN},
        own={"ComfyUI, PEFT's ends": COMFY, "PEFT": PEFT},
        text=("text_encoder",),
        inputs={"guidance_scale": 1.0, "max_sequence_length": 512},
    ),
    "FLUX.1 of XLabs": Case(
        save=save_tiny_flux1, pipeline=FluxPipeline, layers=_XLABS, layouts={"XLabs": XLABS}
    ),
    "FLUX.1 in diffusers' names": Case(
        save=save_tiny_flux1,
        pipeline=FluxPipeline,
        layers=_same(
            "transformer_blocks.0.attn.to_q",
            "transformer_blocks.0.attn.add_v_proj",
            "single_transformer_blocks.1.attn.to_k",
            "context_embedder",
            "x_embedder",
        ),
        layouts={"OneTrainer": ONE_TRAINER},
        own={"ComfyUI": COMFY, "LyCORIS": LYCORIS, "DiffSynth": DIFFSYNTH},
    ),
    "Chroma": Case(
        save=save_tiny_chroma,
        pipeline=ChromaPipeline,
        layers=_FLUX_1,
        layouts={"kohya": KOHYA, "ComfyUI": COMFY_DOWN},
        own={"ComfyUI, PEFT's ends": COMFY},
        inputs={"guidance_scale": 1.0},
    ),
    "FLUX.2 klein": Case(
        save=save_tiny_flux2_klein,
        pipeline=Flux2KleinPipeline,
        layers={
            **_DOUBLE,
            "double_blocks.0.img_mlp.0": ("transformer_blocks.0.ff.linear_in",),
            "single_blocks.1.linear1": ("single_transformer_blocks.1.attn.to_qkv_mlp_proj",),
            "single_blocks.1.linear2": ("single_transformer_blocks.1.attn.to_out",),
        },
        layouts={"kohya": KOHYA, "AI-toolkit": AI_TOOLKIT, "PEFT": PEFT},
        inputs={"guidance_scale": 1.0},
    ),
    "Lumina 2": Case(
        save=save_tiny_lumina2,
        pipeline=Lumina2Pipeline,
        layers={
            "layers.0.attention.qkv": _in("layers.0", _ATTENTION),
            "layers.1.attention.out": ("layers.1.attn.to_out.0",),
            "noise_refiner.0.feed_forward.w2": ("noise_refiner.0.feed_forward.linear_2",),
            "context_refiner.0.attention.qkv": _in("context_refiner.0", _ATTENTION),
            "layers.0.adaLN_modulation.1": ("layers.0.norm1.linear",),
            "cap_embedder.1": ("time_caption_embed.caption_embedder.1",),
            "final_layer.linear": ("norm_out.linear_2",),
        },
        layouts={},  # diffusers converts those of the real model's width alone
        own={"kohya": KOHYA, "ComfyUI": COMFY, "AI-toolkit": AI_TOOLKIT},
        inputs={"guidance_scale": 1.0},
    ),
    "PixArt": Case(
        save=save_tiny_pixart,
        pipeline=PixArtSigmaPipeline,
        layers=_SMALL,
        layouts={"PEFT": PEFT},
        own={"OneTrainer": ONE_TRAINER, "LyCORIS": LYCORIS},
    ),
    "PixArt in its makers' names": Case(
        save=save_tiny_pixart,
        pipeline=PixArtSigmaPipeline,
        layers=_ORIGINAL_SMALL
        | {
            "blocks.1.mlp.fc1": ("transformer_blocks.1.ff.net.0.proj",),
            "t_block.1": ("adaln_single.linear",),
        },
        layouts={},
        own={"kohya": KOHYA, "ComfyUI": COMFY},
    ),
    "PixArt-alpha": Case(
        save=save_tiny_pixart_alpha,
        pipeline=PixArtAlphaPipeline,
        layers={
            **_SMALL,
            **_same("adaln_single.emb.resolution_embedder.linear_1"),
        },
        layouts={"PEFT": PEFT},
    ),
    "Qwen-Image": Case(
        save=save_tiny_qwen_image,
        pipeline=QwenImagePipeline,
        layers=_same(
            "img_in",
            "transformer_blocks.0.attn.to_q",
            "transformer_blocks.1.attn.add_k_proj",
            "transformer_blocks.1.attn.to_out.0",
            "transformer_blocks.1.attn.to_add_out",
            "transformer_blocks.0.img_mlp.net.0.proj",
            "transformer_blocks.0.txt_mlp.net.2",
            "transformer_blocks.0.img_mod.1",
        ),
        layouts={"kohya": KOHYA, "ComfyUI": COMFY, "Lightning": LIGHTNING, "DiffSynth": DIFFSYNTH},
        own={"LyCORIS": LYCORIS, "PEFT": PEFT},
        inputs={"true_cfg_scale": 1.0, "negative_prompt": " "},
    ),
    "Sana": Case(
        save=save_tiny_sana,
        pipeline=SanaPipeline,
        layers=_SMALL | _same("transformer_blocks.1.ff.conv_inverted"),
        layouts={},
        own={"PEFT": PEFT, "OneTrainer": ONE_TRAINER, "LyCORIS": LYCORIS},
        inputs={"guidance_scale": 1.0, "use_resolution_binning": False},
    ),
    "Sana in its makers' names": Case(
        save=save_tiny_sana,
        pipeline=SanaPipeline,
        layers=_ORIGINAL_SMALL
        | {"blocks.1.mlp.inverted_conv.conv": ("transformer_blocks.1.ff.conv_inverted",)},
        layouts={},
        own={"kohya": KOHYA, "ComfyUI": COMFY},
    ),
    "Stable Diffusion 3": Case(
        save=save_tiny_sd3,
        pipeline=StableDiffusion3Pipeline,
        layers={
            "joint_blocks.0.x_block.attn.qkv": _in("transformer_blocks.0", _ATTENTION),
            "joint_blocks.1.context_block.attn.qkv": _in("transformer_blocks.1", _TEXT_ATTENTION),
            "joint_blocks.0.x_block.attn2.proj": ("transformer_blocks.0.attn2.to_out.0",),
            "joint_blocks.0.context_block.mlp.fc1": ("transformer_blocks.0.ff_context.net.0.proj",),
            "joint_blocks.1.x_block.adaLN_modulation.1": ("transformer_blocks.1.norm1.linear",),
        },
        layouts={},
        own={"kohya": KOHYA, "ComfyUI": COMFY},
        text=("text_encoder", "text_encoder_2"),
        inputs={"guidance_scale": 1.0},
    ),
    "Z-Image": Case(
        save=save_tiny_z_image,
        pipeline=ZImagePipeline,
        layers=_same(
            "layers.0.attention.to_q",
            "layers.1.attention.to_out.0",
            "layers.0.feed_forward.w1",
            "noise_refiner.0.feed_forward.w2",
            "context_refiner.0.attention.to_v",
            "layers.0.adaLN_modulation.0",
        ),
        layouts={"kohya": KOHYA, "ComfyUI": COMFY, "DiffSynth": DIFFSYNTH},
        own={"PEFT": PEFT},
        inputs={"guidance_scale": 0.0},
    ),
    "Z-Image in its makers' names": Case(
        save=save_tiny_z_image,
        pipeline=ZImagePipeline,
        layers={
            "layers.0.attention.qkv": _in("layers.0.attention", ("to_q", "to_k", "to_v")),
            "layers.1.attention.out": ("layers.1.attention.to_out.0",),
        },
        layouts={},
        own={"kohya": KOHYA, "ComfyUI": COMFY},
    ),
}
