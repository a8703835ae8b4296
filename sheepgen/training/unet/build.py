"""The U-Net's architecture and the noise schedule that it is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

if TYPE_CHECKING:
    from sheepgen.training.config import DiffusionConfig

__all__ = ["TRAIN_TIMESTEPS", "build_scheduler", "build_unet"]

TRAIN_TIMESTEPS = 1_000


def build_unet(
    config: DiffusionConfig, *, latent_channels: int, sample_size: int, token_width: int
) -> UNet2DConditionModel:
    """Return an untrained U-Net.

    Its finest attention is diffusers' simple kind, with one head, and so is the middle's: there a
    whole transformer costs more than it gains.
    """
    torch.manual_seed(config.seed)
    levels = range(len(config.channels))
    # Of blocks of the simple kind the numbers of a head, of the others the number of heads, see
    # diffusers' issue 2011. On the way up the finest block is given the last level's.
    simple = {0, len(config.channels) - 1}
    kinds = {0: "SimpleCrossAttn", config.attention_level: "CrossAttn"}
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=config.channels,
        layers_per_block=config.layers_per_block,
        down_block_types=tuple(f"{kinds.get(level, '')}DownBlock2D" for level in levels),
        up_block_types=tuple(f"{kinds.get(level, '')}UpBlock2D" for level in reversed(levels)),
        only_cross_attention=tuple(level == 0 for level in levels),
        encoder_hid_dim=token_width,
        encoder_hid_dim_type="text_proj",
        cross_attention_dim=config.text_width,
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        mid_block_only_cross_attention=True,
        attention_head_dim=tuple(
            config.channels[0] if level in simple else max(1, width // config.head_dim)
            for level, width in enumerate(config.channels)
        ),
        norm_num_groups=config.norm_groups,
        time_embedding_dim=config.embedding_size,
        resnet_time_scale_shift="scale_shift",
    )


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule that the U-Net is trained on."""
    return DDIMScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        beta_schedule="linear",
        beta_start=0.0001,
        beta_end=0.02,
        prediction_type="sample",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )
