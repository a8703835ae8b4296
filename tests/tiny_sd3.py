"""A whole Stable Diffusion 3 model of some 100,000 weights, with the real one's layout.

side of an image   32 pixels (latents 16x16, spatial factor 2, patches of two by two)
text embedding     8 and 12 wide, side by side, and T5's 24 wide after them
pooled text        8 and 6 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from tests.tiny import TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer
from tests.tiny_flux1 import tiny_t5, tiny_t5_tokenizer
from tests.tiny_xl import POOLED_WIDTH, tiny_text_encoder_2, tiny_tokenizer_2
from tests.tiny_z_image import tiny_vae_16

if TYPE_CHECKING:
    from pathlib import Path

T5_WIDTH = 24


def tiny_sd3_pipeline(*, seed: int = 0, **schedule: Any) -> StableDiffusion3Pipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        schedule: Changes of the scheduler's config.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer, tokenizer_2 = tiny_tokenizer(), tiny_tokenizer_2()
        tokenizer_3 = tiny_t5_tokenizer()
        first: dict[str, Any] = tiny_text_encoder(tokenizer).config.to_dict()
        pipeline = StableDiffusion3Pipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**{"shift": 3.0} | schedule),
            vae=tiny_vae_16(),
            text_encoder=CLIPTextModelWithProjection(CLIPTextConfig(**first)),
            tokenizer=tokenizer,
            text_encoder_2=tiny_text_encoder_2(tokenizer_2),
            tokenizer_2=tokenizer_2,
            text_encoder_3=tiny_t5(tokenizer_3, d_model=T5_WIDTH),
            tokenizer_3=tokenizer_3,
            transformer=SD3Transformer2DModel(
                sample_size=16,
                in_channels=16,
                num_layers=2,
                attention_head_dim=8,
                num_attention_heads=4,
                joint_attention_dim=T5_WIDTH,
                caption_projection_dim=32,
                pooled_projection_dim=TEXT_WIDTH + POOLED_WIDTH,
                out_channels=16,
                pos_embed_max_size=24,
                dual_attention_layers=(0,),
                qk_norm="rms_norm",
            ),
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_sd3(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_sd3_pipeline`."""
    tiny_sd3_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
