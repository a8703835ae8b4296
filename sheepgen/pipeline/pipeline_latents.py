"""Latents in the forms that diffusers' pipelines have them in, as images to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    AutoencoderKLQwenImage21,
    VQModel,
)
from diffusers.pipelines.deprecated.wuerstchen import PaellaVQModel
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sheepgen.pipeline.vae import decode_latents

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["bytes_per_pixel", "decode", "opaque", "unpacked"]

_SIDE = 2
_COLOURS = 3
_PACKED = 3
"""Axes of latents that are a sequence of patches."""


def unpacked(
    latents: Tensor, width: int, height: int, side: int = _SIDE, *, channels_last: bool = False
) -> Tensor:
    """Return latents as an image, (batch, channels, height, width).

    Args:
        latents: In that form; or, as transformers take them, in square patches, row by row,
            (batch, patches, channels * side ** 2).
        width: Of the image, in pixels.
        height: Likewise.
        side: Of the patches.
        channels_last: Whether the numbers of a patch are (side, side, channels) in their order, not
            (channels, side, side).
    """
    if latents.ndim != _PACKED:
        return latents
    batch, patches, channels = latents.shape
    if channels_last:
        latents = latents.reshape(batch, patches, side**2, -1).transpose(-1, -2).flatten(-2)
    rows = round((patches * height / width) ** 0.5)
    grid = latents.transpose(1, 2).reshape(batch, channels, rows, patches // rows)
    return pixel_shuffle(grid, side)


def opaque(pixels: Tensor) -> Tensor:
    """Return pixels on white, (batch, 3, height, width), if some let it through.

    Args:
        pixels: 0 to 1; with a fourth channel it is how opaque they are.
    """
    colours, opacity = pixels[:, :_COLOURS], pixels[:, _COLOURS:]
    return colours * opacity + (1 - opacity) if opacity.shape[1] else colours


@torch.inference_mode()
def decode(vae: Any, latents: Tensor, *, channels_last: bool = False) -> Tensor:  # noqa: ANN401 - a class of diffusers
    """Return pixels, (batch, 3, height, width), about -1 to 1.

    Args:
        vae: The pipeline's.
        latents: From `unpacked`.
        channels_last: As there.
    """
    latents = latents.to(vae.device)
    match vae:
        case AutoencoderKLQwenImage() | AutoencoderKLQwenImage21():  # latents of films
            film = latents.to(vae.dtype).unsqueeze(2)
            mean, deviation = (
                torch.tensor(each).view(1, -1, 1, 1, 1).to(film)
                for each in (vae.config.latents_mean, vae.config.latents_std)
            )
            pixels = decode_latents(vae, film / (1.0 / deviation) + mean)[:, :, 0]
            if pixels.shape[1] == _COLOURS:
                return pixels
            return 2 * opaque((pixels / 2 + 0.5).clamp(0, 1)) - 1
        case AutoencoderKLFlux2():
            deviation = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps)
            mean = vae.bn.running_mean
            if channels_last:
                deviation, mean = (
                    each.reshape(_SIDE**2, -1).T.flatten() for each in (deviation, mean)
                )
            patches = pixel_unshuffle(latents, _SIDE)
            patches = patches * deviation.view(1, -1, 1, 1).to(latents)
            patches = patches + mean.view(1, -1, 1, 1).to(latents)
            return decode_latents(vae, pixel_shuffle(patches, _SIDE))
        case PaellaVQModel():
            scaled = vae.config.scale_factor * latents
            return 2 * decode_latents(vae, scaled, scaled=False).clamp(0, 1) - 1
        case VQModel():
            return decode_latents(vae, latents, scaled=False, force_not_quantize=True)
        case _:
            return decode_latents(vae, latents)


def bytes_per_pixel(vae: Any) -> int:  # noqa: ANN401 - a class of diffusers
    """Return the memory that decoding takes at least, of a VAE's widest layer before and after."""
    config = vae.config
    if isinstance(vae, AutoencoderKLQwenImage | AutoencoderKLQwenImage21):
        width: int = config.get("decoder_base_dim") or config.base_dim
    elif isinstance(vae, PaellaVQModel):
        width = config.embed_dim // 2 ** (config.levels - 1)
    else:
        width = (config.get("decoder_block_out_channels") or config.block_out_channels)[0]
    bytes_: int = 2 * width * vae.dtype.itemsize
    return bytes_
