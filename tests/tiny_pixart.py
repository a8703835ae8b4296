"""A whole PixArt model of some 30,000 weights, with the real one's layout.

side of an image   16 pixels at least (latents 8x8, spatial factor 2, patches of two by two)
text embedding     16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
)

from tests.tiny import tiny_vae
from tests.tiny_flux1 import T5_WIDTH, tiny_t5, tiny_t5_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

_SCHEDULE = {
    "algorithm_type": "dpmsolver++",
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "solver_order": 2,
}


def tiny_pixart_pipeline(
    *, seed: int = 0, alpha: bool = False, schedule: dict[str, Any] | None = None, **changes: Any
) -> PixArtSigmaPipeline | PixArtAlphaPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        alpha: Whether it is PixArt-alpha, which is given the size, or PixArt-Sigma.
        schedule: Changes of the scheduler's config.
        changes: Of the transformer's.
    """
    transformer: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 8,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 3,
        "cross_attention_dim": 24,
        "caption_channels": T5_WIDTH,
        # Diffusers' pipeline takes this one for a model that is given the size.
        "sample_size": 128 if alpha else 32,
        "use_additional_conditions": alpha,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_t5_tokenizer()
        pipeline = (PixArtAlphaPipeline if alpha else PixArtSigmaPipeline)(
            scheduler=DPMSolverMultistepScheduler(**_SCHEDULE | (schedule or {})),
            vae=tiny_vae(),
            text_encoder=tiny_t5(tokenizer),
            tokenizer=tokenizer,
            transformer=PixArtTransformer2DModel(**transformer | changes),
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_pixart(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_pixart_pipeline`."""
    tiny_pixart_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
