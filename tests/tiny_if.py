"""DeepFloyd IF of some 100,000 weights in two folders, with the real ones' layout.

first stage     pictures of 16x16 pixels
second stage    pictures of 32x32 pixels
text embedding  16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    DDPMScheduler,
    IFPipeline,
    IFSuperResolutionPipeline,
    UNet2DConditionModel,
)

from tests.tiny_flux1 import T5_WIDTH, tiny_t5, tiny_t5_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

_NONE: dict[str, Any] = {
    "safety_checker": None,
    "feature_extractor": None,
    "watermarker": None,
    "requires_safety_checker": False,
}


def tiny_if_unet(**changes: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        **{
            "sample_size": 16,
            "in_channels": 3,
            "out_channels": 6,
            "block_out_channels": (8, 16),
            "layers_per_block": 1,
            "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
            "addition_embed_type": "text",
            "addition_embed_type_num_heads": 4,
            "encoder_hid_dim": T5_WIDTH,
            "cross_attention_dim": 8,
            "attention_head_dim": 4,
            "norm_num_groups": 4,
            "resnet_time_scale_shift": "scale_shift",
        }
        | changes
    )


def tiny_if_scheduler() -> DDPMScheduler:
    """Return the makers' schedule: the variance is learned, and estimates are kept in range."""
    return DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5,
        variance_type="learned_range",
    )


def tiny_if_pipeline(*, seed: int = 0) -> IFPipeline:
    """Return diffusers' own first stage; leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_t5_tokenizer()
        return IFPipeline(
            tokenizer=tokenizer,
            text_encoder=tiny_t5(tokenizer),
            unet=tiny_if_unet(),
            scheduler=tiny_if_scheduler(),
            **_NONE,
        )


def tiny_if_upscaler(*, seed: int = 1, **changes: Any) -> IFSuperResolutionPipeline:
    """Return diffusers' own second stage; ``changes`` are of its U-Net."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_t5_tokenizer()
        return IFSuperResolutionPipeline(
            tokenizer=tokenizer,
            text_encoder=tiny_t5(tokenizer),
            unet=tiny_if_unet(
                **{"sample_size": 32, "in_channels": 6, "class_embed_type": "timestep"} | changes
            ),
            scheduler=tiny_if_scheduler(),
            image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            **_NONE,
        )


def save_tiny_if(folder: Path, **changes: Any) -> Path:
    """Write the first stage's folder and return it."""
    tiny_if_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_if_upscaler(folder: Path, **changes: Any) -> Path:
    """Write the second stage's folder and return it."""
    tiny_if_upscaler(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
