"""Classifier-free guidance in diffusers' convention, where a scale of 1 is off.

``uncond + scale * (text - uncond)``: https://arxiv.org/abs/2207.12598, equation 6 with
``scale = 1 + w``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Guidance", "apply_guidance", "guidance_embedding", "rescale_guided"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Guidance:
    """How strongly the prompt is followed.

    Args:
        scale: In diffusers' convention, where 1 is off. A family with another one converts it.
        rescale: 0 to 1, how far the guided prediction's spread is pulled back to the text
            prediction's (https://arxiv.org/abs/2305.08891, section 3.4).
    """

    scale: float
    rescale: float = 0.0


def apply_guidance(prediction: Tensor, guidance: Guidance) -> Tensor:
    """Combine the unconditional and the text prediction.

    Args:
        prediction: (2 * batch, channels, height, width), the unconditional half first.
        guidance: With a scale above 1.

    Returns:
        (batch, channels, height, width).
    """
    uncond, text = prediction.chunk(2)
    # guided = uncond + scale * (text - uncond)
    guided = uncond + guidance.scale * (text - uncond)
    return rescale_guided(guided, text, guidance.rescale)


def rescale_guided(guided: Tensor, text: Tensor, rescale: float) -> Tensor:
    """Pull the spread of a guided prediction back to the text prediction's.

    https://arxiv.org/abs/2305.08891, section 3.4.

    Args:
        guided: (batch, channels, height, width).
        text: Likewise.
        rescale: How far, 0 to 1.
    """
    if rescale == 0:
        return guided
    # rescale * guided * std(text) / std(guided) + (1 - rescale) * guided
    std_text = text.std(dim=(1, 2, 3), keepdim=True)  # (batch, 1, 1, 1)
    std_guided = guided.std(dim=(1, 2, 3), keepdim=True)
    rescaled = guided * (std_text / std_guided)
    return rescale * rescaled + (1 - rescale) * guided


def guidance_embedding(scale: float, size: int) -> Tensor:
    """Write the scale as sines and cosines, for U-Nets distilled with guidance.

    https://arxiv.org/abs/2310.04378, with diffusers' convention for the scale.

    Args:
        scale: 1 is off.
        size: Even width that the U-Net asks for.

    Returns:
        (1, size), float32.
    """
    half = size // 2
    # w = 1000 * (scale - 1) * 10000 ** (-i / (half - 1))
    frequencies = torch.exp(torch.arange(half) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
    angles = torch.tensor([scale - 1]) * 1000.0 * frequencies
    return torch.cat([angles.sin(), angles.cos()])[None]
