"""A small Stable Diffusion 3 model without T5, also as one file, as its makers share them.

Like those of `tests.original` it keeps the rules that such files are read by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from tests.original import original_tokenizer, original_vae_tensors
from tests.original_transformer import original_sd3

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

WIDTHS = (64, 128)
"""Of both text encoders."""


def _text_encoder(width: int, **settings: Any) -> CLIPTextModelWithProjection:
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            hidden_size=width,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=width // 64,
            projection_dim=width,
            bos_token_id=0,
            eos_token_id=2,
            pad_token_id=1,
            **settings,
        )
    )


def save_original_sd3(folder: Path) -> Path:
    """Write a diffusers folder of Stable Diffusion 3 without T5, and return it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = _text_encoder(WIDTHS[0], hidden_act="quick_gelu")
        torch.nn.init.eye_(first.text_projection.weight)
        pipeline = StableDiffusion3Pipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=AutoencoderKL(
                latent_channels=16,
                block_out_channels=(32, 64),
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                scaling_factor=1.5305,
                shift_factor=0.0609,
                use_quant_conv=False,
                use_post_quant_conv=False,
            ),
            text_encoder=first,
            tokenizer=original_tokenizer(pad_token="<|endoftext|>"),
            text_encoder_2=_text_encoder(WIDTHS[1], hidden_act="gelu"),
            tokenizer_2=original_tokenizer(pad_token="!"),
            text_encoder_3=None,
            tokenizer_3=None,
            transformer=SD3Transformer2DModel(
                sample_size=128,
                num_layers=2,
                attention_head_dim=64,
                num_attention_heads=2,
                joint_attention_dim=256,
                caption_projection_dim=128,
                pooled_projection_dim=sum(WIDTHS),
                pos_embed_max_size=24,
                dual_attention_layers=(0,),
                qk_norm="rms_norm",
            ),
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def save_sd3_file(
    folder: Path, path: Path, *, without: str = "nothing at all", more: Mapping[str, Tensor]
) -> Path:
    """Write a diffusers folder as one file, and return it.

    Args:
        folder: The model's.
        path: Where to.
        without: Weights are left out whose names begin like this.
        more: Further tensors.
    """
    parts = {
        name: load_file(next((folder / name).glob("*.safetensors")))
        for name in ("transformer", "vae", "text_encoder", "text_encoder_2")
    }
    transformer = original_sd3(parts["transformer"])
    tensors = {
        **{f"model.diffusion_model.{name}": each for name, each in transformer.items()},
        **original_vae_tensors(parts["vae"], "first_stage_model."),
        **{
            f"text_encoders.{part}.transformer.{name}": each
            for part, component in (("clip_l", "text_encoder"), ("clip_g", "text_encoder_2"))
            for name, each in parts[component].items()
        },
        # Some files have it; diffusers and the makers' code take none.
        "text_encoders.clip_l.transformer.text_projection.weight": torch.ones(WIDTHS[0], WIDTHS[0]),
    }
    tensors = {
        name: tensor.contiguous()
        for name, tensor in {**tensors, **more}.items()
        if not name.startswith(without)
    }
    save_file(tensors, path)
    return path
