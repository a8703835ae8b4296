"""Folders of well-known models in full size, without their weights: configs, and empty files.

Weight files have the headers that the real ones have, and after them a hole that takes no room on
the disk. Configs are written out here as the makers have published them.

`python -m tests.full_size` prints the memory plan of each as a table.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import diffusers
import torch
import transformers

from sheepgen.bench.geometries import CLIP_G, CLIP_L, FLUX1, SDXL_UNET, VAE, VAE_16
from sheepgen.models import resolve
from sheepgen.models.memory import plan_memory
from tests.tiny import tiny_tokenizer
from tests.tiny_flux1 import tiny_t5_tokenizer
from tests.tiny_z_image import tiny_qwen_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from sheepgen.models.spec import ModelSpec

_T5_XXL = {
    "d_ff": 10240,
    "d_kv": 64,
    "d_model": 4096,
    "feed_forward_proj": "gated-gelu",
    "num_heads": 64,
    "num_layers": 24,
    "vocab_size": 32128,
}
_QWEN3_4B = {
    "head_dim": 128,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
}
_QWEN_VL_7B = {
    "text_config": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
    },
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
    },
}
_FLOW = ("FlowMatchEulerDiscreteScheduler", {"shift": 3.0})


@dataclass(frozen=True, kw_only=True)
class FullSize:
    """A model.

    Args:
        pipeline: Its class.
        stated: Parameters of the denoiser as its makers state them, in billions.
        networks: Class and config of the components with weights, the denoiser first.
        scheduler: Likewise.
        tokenizers: By component.
    """

    pipeline: str
    stated: float
    networks: Mapping[str, tuple[str, Mapping[str, Any]]]
    scheduler: tuple[str, Mapping[str, Any]] = _FLOW
    tokenizers: Mapping[str, Callable[[], Any]] = field(default_factory=dict)


MODELS: Mapping[str, FullSize] = {
    "FLUX.1-dev": FullSize(
        pipeline="FluxPipeline",
        stated=12.0,
        networks={
            "transformer": ("FluxTransformer2DModel", FLUX1),
            "text_encoder": ("CLIPTextModel", CLIP_L),
            "text_encoder_2": ("T5EncoderModel", _T5_XXL),
            "vae": ("AutoencoderKL", VAE_16),
        },
        tokenizers={"tokenizer": tiny_tokenizer, "tokenizer_2": tiny_t5_tokenizer},
    ),
    "Z-Image": FullSize(
        pipeline="ZImagePipeline",
        stated=6.0,
        networks={
            "transformer": (
                "ZImageTransformer2DModel",
                {
                    "axes_dims": [32, 48, 48],
                    "axes_lens": [1536, 512, 512],
                    "cap_feat_dim": 2560,
                    "dim": 3840,
                    "in_channels": 16,
                    "n_heads": 30,
                    "n_kv_heads": 30,
                    "n_layers": 30,
                    "n_refiner_layers": 2,
                },
            ),
            "text_encoder": ("Qwen3Model", _QWEN3_4B),
            "vae": ("AutoencoderKL", VAE_16),
        },
        tokenizers={"tokenizer": tiny_qwen_tokenizer},
    ),
    "Qwen-Image": FullSize(
        pipeline="QwenImagePipeline",
        stated=20.0,
        networks={
            "transformer": (
                "QwenImageTransformer2DModel",
                {
                    "attention_head_dim": 128,
                    "axes_dims_rope": (16, 56, 56),
                    "in_channels": 64,
                    "joint_attention_dim": 3584,
                    "num_attention_heads": 24,
                    "num_layers": 60,
                    "out_channels": 16,
                    "patch_size": 2,
                },
            ),
            "text_encoder": ("Qwen2_5_VLForConditionalGeneration", _QWEN_VL_7B),
            "vae": (
                "AutoencoderKLQwenImage",
                {
                    "base_dim": 96,
                    "dim_mult": [1, 2, 4, 4],
                    "num_res_blocks": 2,
                    "temperal_downsample": [False, True, True],
                    "z_dim": 16,
                },
            ),
        },
        tokenizers={"tokenizer": tiny_qwen_tokenizer},
    ),
    "Stable Diffusion 3.5 large": FullSize(
        pipeline="StableDiffusion3Pipeline",
        stated=8.1,
        networks={
            "transformer": (
                "SD3Transformer2DModel",
                {
                    "attention_head_dim": 64,
                    "caption_projection_dim": 2432,
                    "in_channels": 16,
                    "joint_attention_dim": 4096,
                    "num_attention_heads": 38,
                    "num_layers": 38,
                    "out_channels": 16,
                    "patch_size": 2,
                    "pooled_projection_dim": 2048,
                    "pos_embed_max_size": 192,
                    "qk_norm": "rms_norm",
                    "sample_size": 128,
                },
            ),
            "text_encoder": ("CLIPTextModelWithProjection", CLIP_L),
            "text_encoder_2": ("CLIPTextModelWithProjection", CLIP_G),
            "text_encoder_3": ("T5EncoderModel", _T5_XXL),
            "vae": ("AutoencoderKL", VAE_16),
        },
        tokenizers={
            "tokenizer": tiny_tokenizer,
            "tokenizer_2": tiny_tokenizer,
            "tokenizer_3": tiny_t5_tokenizer,
        },
    ),
    "Stable Diffusion XL": FullSize(
        pipeline="StableDiffusionXLPipeline",
        stated=2.6,
        networks={
            "unet": ("UNet2DConditionModel", SDXL_UNET),
            "text_encoder": ("CLIPTextModel", CLIP_L),
            "text_encoder_2": ("CLIPTextModelWithProjection", CLIP_G),
            "vae": ("AutoencoderKL", {**VAE, "force_upcast": True, "scaling_factor": 0.13025}),
        },
        scheduler=("EulerDiscreteScheduler", {"beta_schedule": "scaled_linear"}),
        tokenizers={"tokenizer": tiny_tokenizer, "tokenizer_2": tiny_tokenizer},
    ),
    "FLUX.2 klein 4B": FullSize(
        pipeline="Flux2KleinPipeline",
        stated=4.0,
        networks={
            "transformer": (
                "Flux2Transformer2DModel",
                {
                    "attention_head_dim": 128,
                    "guidance_embeds": False,
                    "in_channels": 128,
                    "joint_attention_dim": 7680,
                    "num_attention_heads": 24,
                    "num_layers": 5,
                    "num_single_layers": 20,
                },
            ),
            "text_encoder": ("Qwen3ForCausalLM", _QWEN3_4B),
            "vae": ("AutoencoderKLFlux2", {}),
        },
        tokenizers={"tokenizer": tiny_qwen_tokenizer},
    ),
    "Chroma": FullSize(
        pipeline="ChromaPipeline",
        stated=8.9,
        networks={
            "transformer": (
                "ChromaTransformer2DModel",
                {
                    "approximator_hidden_dim": 5120,
                    "approximator_layers": 5,
                    "approximator_num_channels": 64,
                    "attention_head_dim": 128,
                    "in_channels": 64,
                    "joint_attention_dim": 4096,
                    "num_attention_heads": 24,
                    "num_layers": 19,
                    "num_single_layers": 38,
                },
            ),
            "text_encoder": ("T5EncoderModel", _T5_XXL),
            "vae": ("AutoencoderKL", VAE_16),
        },
        tokenizers={"tokenizer": tiny_t5_tokenizer},
    ),
}


def save_full_size(folder: Path, name: str) -> Path:
    """Write a diffusers folder of a model in full size, without its weights, and return it."""
    model = MODELS[name]
    index: dict[str, Any] = {"_class_name": model.pipeline}
    for component, (class_name, config) in model.networks.items():
        library = diffusers if hasattr(diffusers, class_name) else transformers
        index[component] = [library.__name__, class_name]
        with torch.device("meta"):
            network = _build(library, class_name, config)
        stem = "model"
        if library is diffusers:
            stem = "diffusion_pytorch_model"
            network.save_config(folder / component)
        else:
            network.config.save_pretrained(folder / component)
        _write_hollow(folder / component / f"{stem}.safetensors", network)
    for component, build in model.tokenizers.items():
        tokenizer = build()
        tokenizer.save_pretrained(folder / component)
        index[component] = ["transformers", type(tokenizer).__name__]
    class_name, config = model.scheduler
    getattr(diffusers, class_name)(**config).save_config(folder / "scheduler")
    index["scheduler"] = ["diffusers", class_name]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _build(library: Any, class_name: str, config: Mapping[str, Any]) -> Any:
    network_class = getattr(library, class_name)
    if library is diffusers:
        return network_class(**config)
    return network_class(network_class.config_class(**config))


def _write_hollow(path: Path, network: nn.Module) -> None:
    """Write a header with all weights of a network at bfloat16, and a hole after it."""
    header: dict[str, Any] = {}
    written: set[int] = set()
    end = 0
    for name, weight in network.state_dict(keep_vars=True).items():
        if id(weight) in written:  # under another name
            continue
        written.add(id(weight))
        start, end = end, end + 2 * weight.numel()
        shape = list(weight.shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


def full_size_spec(folder: Path) -> ModelSpec:
    """Return what is known of such a folder, without a hash of the hole in it."""
    with mock.patch.object(resolve, "fingerprint", return_value="0" * 64):
        return resolve.find_model(str(folder))


def _main() -> None:
    """Print a table: parameters, and gigabytes at bfloat16 and at the default size."""
    parts = "Denoiser", "Stated", "Text encoders", "VAE", "All on the device", "model", "group"
    lines = [f"| Model | {' | '.join(parts)} |\n|---|{'---:|' * len(parts)}"]
    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            spec = full_size_spec(save_full_size(Path(folder), name))
            plan = plan_memory(spec, (spec.defaults.width, spec.defaults.height), "bf16")
        weights = {each.name: each.weight_bytes / 1e9 for each in plan.components}
        (denoiser,) = (each for each in plan.components if each.name == next(iter(model.networks)))
        texts = sum(each for part, each in weights.items() if part.startswith("text_encoder"))
        lines.append(
            f"| {name} | {denoiser.parameters / 1e9:.2f} B, {weights[denoiser.name]:.1f} GB "
            f"| {model.stated:g} B | {texts:.1f} GB | {weights['vae']:.2f} GB "
            f"| {' | '.join(f'{each / 1e9:.1f} GB' for each in plan.needed.values())} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    _main()
