"""A whole Chroma model of some 80,000 weights, with the real one's layout.

side of an image   32 pixels at least (latents 16x16, spatial factor 2, patches of two by two)
text embedding     16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler

from tests.tiny_flux1 import T5_WIDTH, tiny_t5, tiny_t5_tokenizer
from tests.tiny_z_image import tiny_vae_16

if TYPE_CHECKING:
    from pathlib import Path


def tiny_chroma_pipeline(*, seed: int = 0, **schedule: Any) -> ChromaPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        schedule: Changes of the scheduler's config.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_t5_tokenizer()
        pipeline = ChromaPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(
                **{"shift": 3.0, "use_dynamic_shifting": True} | schedule
            ),
            vae=tiny_vae_16(),
            text_encoder=tiny_t5(tokenizer),
            tokenizer=tokenizer,
            transformer=ChromaTransformer2DModel(
                in_channels=64,
                num_layers=1,
                num_single_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=T5_WIDTH,
                axes_dims_rope=(4, 6, 6),
                approximator_num_channels=8,
                approximator_hidden_dim=32,
                approximator_layers=1,
            ),
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_chroma(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_chroma_pipeline`."""
    tiny_chroma_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
