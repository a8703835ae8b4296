"""Classifier-free guidance in diffusers' convention, where a scale of 1 is off.

``uncond + scale * (text - uncond)``: https://arxiv.org/abs/2207.12598, equation 6 with
``scale = 1 + w``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from torch import Tensor

__all__ = ["apply_guidance", "guidance_embedding", "is_guided"]


def is_guided(unet: UNet2DConditionModel, guidance_scale: float) -> bool:
    """Say whether a second, unconditional prediction is needed.

    Models that were distilled with guidance read the scale as an input and need none.
    """
    return guidance_scale > 1 and unet.config.time_cond_proj_dim is None


def apply_guidance(noise_pred: Tensor, guidance_scale: float, guidance_rescale: float) -> Tensor:
    """Join the unconditional and the text prediction.

    Args:
        noise_pred: (2 * batch, channels, height, width), the unconditional half first.
        guidance_scale: Above 1.
        guidance_rescale: 0 to 1, how far the result's spread is pulled back to the text
            prediction's (https://arxiv.org/abs/2305.08891, section 3.4).

    Returns:
        (batch, channels, height, width).
    """
    noise_pred_uncond, noise_pred_text = noise_pred.chunk(2)
    guided = noise_pred_uncond + guidance_scale * (noise_pred_text - noise_pred_uncond)
    if guidance_rescale == 0:
        return guided
    std_text = noise_pred_text.std(dim=(1, 2, 3), keepdim=True)
    std_guided = guided.std(dim=(1, 2, 3), keepdim=True)
    rescaled = guided * (std_text / std_guided)
    return guidance_rescale * rescaled + (1 - guidance_rescale) * guided


def guidance_embedding(guidance_scale: float, size: int) -> Tensor:
    """Write the scale as sines and cosines, for models that read it (https://arxiv.org/abs/2310.04378).

    Args:
        guidance_scale: In diffusers' convention.
        size: Even width that the U-Net asks for.

    Returns:
        (1, size), float32.
    """
    half = size // 2
    frequencies = torch.exp(torch.arange(half) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
    angles = torch.tensor([guidance_scale - 1]) * 1000.0 * frequencies
    return torch.cat([angles.sin(), angles.cos()])[None]
