"""Whole models of a few thousand weights that read no prompt, with the real ones' layout.

side of a grey image   12 pixels, in multiples of 2
side of a latent image 16 pixels (latents 8x8 of 3 channels, spatial factor 2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    DDIMPipeline,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    LDMPipeline,
    UNet2DModel,
    VQModel,
)

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 12
LATENT_SIDE = 8


def tiny_unet_2d(*, side: int | tuple[int, int] = SIDE, channels: int = 1) -> UNet2DModel:
    return UNet2DModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=4,
    )


def tiny_vq(latent_channels: int = 3) -> VQModel:
    vq = VQModel(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=latent_channels,
        num_vq_embeddings=32,
        vq_embed_dim=latent_channels,
        norm_num_groups=4,
        scaling_factor=0.7,
    )
    # Its own are so near to zero that all latents would become one.
    vq.quantize.embedding.weight.data.normal_()
    return vq


def save_tiny_ddpm(
    folder: Path,
    *,
    side: int | tuple[int, int] = SIDE,
    channels: int = 1,
    ddim: bool = False,
    seed: int = 0,
    **schedule: Any,
) -> Path:
    """Write a diffusers folder and return it; leaves the global generator as it was.

    Args:
        folder: Where to.
        side: Of its images.
        channels: 1 for grey, 3 for colours.
        ddim: Whether it is saved by DDIMPipeline.
        seed: Fixes every weight.
        schedule: Settings of the scheduler.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = tiny_unet_2d(side=side, channels=channels)
    pipeline = (
        DDIMPipeline(unet, DDIMScheduler(**schedule))
        if ddim
        else DDPMPipeline(unet, DDPMScheduler(**schedule))
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def flatten(folder: Path) -> None:
    """Put the files of a DDPM's components beside its index, as older versions wrote them."""
    for component in ("unet", "scheduler"):
        for file in (folder / component).iterdir():
            file.rename(folder / file.name)
        (folder / component).rmdir()


def save_tiny_ldm_without_prompts(folder: Path, *, seed: int = 0) -> Path:
    """Write a folder of LDMPipeline and return it; leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vq, unet = tiny_vq(), tiny_unet_2d(side=LATENT_SIDE, channels=3)
    scheduler = DDIMScheduler(clip_sample=False, beta_start=0.0015, beta_end=0.0195)
    LDMPipeline(vq, unet, scheduler).save_pretrained(folder, safe_serialization=True)
    return folder
