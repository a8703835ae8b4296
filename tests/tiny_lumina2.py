"""A whole Lumina 2 model of some 60,000 weights, with the real one's layout.

side of an image   16 pixels at least (latents 2x2, spatial factor 8, which diffusers takes for
                   granted, patches of two by two)
text embedding     16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
)

from tests.tiny_sana import GEMMA_WIDTH, tiny_gemma, tiny_gemma_tokenizer
from tests.tiny_z_image import tiny_vae_16

if TYPE_CHECKING:
    from pathlib import Path


def tiny_vae_of_four_levels(**changes: Any) -> AutoencoderKL:
    """Return a VAE with a spatial factor of 8, which diffusers' pipeline takes for granted."""
    return tiny_vae_16(
        block_out_channels=(4, 4, 4, 4),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        **changes,
    )


def tiny_lumina2_pipeline(*, seed: int = 0, **schedule: Any) -> Lumina2Pipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        schedule: Changes of the scheduler's config.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_gemma_tokenizer()
        pipeline = Lumina2Pipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**{"shift": 6.0} | schedule),
            vae=tiny_vae_of_four_levels(),
            text_encoder=tiny_gemma(tokenizer),
            tokenizer=tokenizer,
            transformer=Lumina2Transformer2DModel(
                sample_size=8,
                in_channels=16,
                hidden_size=32,
                num_layers=2,
                num_refiner_layers=1,
                num_attention_heads=2,
                num_kv_heads=1,
                multiple_of=8,
                axes_dim_rope=(4, 6, 6),
                axes_lens=(300, 64, 64),
                cap_feat_dim=GEMMA_WIDTH,
            ),
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_lumina2(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_lumina2_pipeline`."""
    tiny_lumina2_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
