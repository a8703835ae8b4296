"""Latents in the forms that diffusers' pipelines have them in, as images to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKLFlux2, AutoencoderKLQwenImage
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sheepgen.pipeline.patches import unpack
from sheepgen.pipeline.vae import decode_latents

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["bytes_per_pixel", "decode", "unpacked"]

_SIDE = 2
_PACKED = 3
"""Axes of latents that are a sequence of patches."""


def unpacked(latents: Tensor, width: int, height: int) -> Tensor:
    """Return latents as an image, (batch, channels, height, width).

    Args:
        latents: In that form; or, as transformers take them, in patches of two by two, row by row,
            (batch, patches, channels * 4).
        width: Of the image, in pixels.
        height: Likewise.
    """
    if latents.ndim != _PACKED:
        return latents
    rows = round((latents.shape[1] * height / width) ** 0.5)
    return unpack(latents, _SIDE * rows, _SIDE * latents.shape[1] // rows)


@torch.inference_mode()
def decode(vae: Any, latents: Tensor) -> Tensor:  # noqa: ANN401 - a class of diffusers
    """Return pixels, (batch, 3, height, width), about -1 to 1.

    Args:
        vae: The pipeline's.
        latents: From `unpacked`.
    """
    latents = latents.to(vae.device)
    match vae:
        case AutoencoderKLQwenImage():  # latents of films
            film = latents.to(vae.dtype).unsqueeze(2)
            mean, deviation = (
                torch.tensor(each).view(1, -1, 1, 1, 1).to(film)
                for each in (vae.config.latents_mean, vae.config.latents_std)
            )
            return decode_latents(vae, film / (1.0 / deviation) + mean)[:, :, 0]
        case AutoencoderKLFlux2():
            patches = pixel_unshuffle(latents, _SIDE)
            deviation = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps)
            patches = patches * deviation.view(1, -1, 1, 1).to(latents)
            patches = patches + vae.bn.running_mean.view(1, -1, 1, 1).to(latents)
            return decode_latents(vae, pixel_shuffle(patches, _SIDE))
        case _:
            return decode_latents(vae, latents)


def bytes_per_pixel(vae: Any) -> int:  # noqa: ANN401 - a class of diffusers
    """Return the memory that decoding takes at least, of a VAE's widest layer before and after."""
    width: int = (
        vae.config.base_dim
        if isinstance(vae, AutoencoderKLQwenImage)
        else vae.config.block_out_channels[0]
    )
    bytes_: int = 2 * width * vae.dtype.itemsize
    return bytes_
