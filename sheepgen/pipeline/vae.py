"""Latents to pixels and back with a model's autoencoder."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.errors import NonFiniteError
from sheepgen.pipeline.building import running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diffusers import AutoencoderKL, AutoencoderTiny, VQModel
    from torch import Tensor

__all__ = ["decode_latents", "encode_pixels"]


@torch.inference_mode()
def decode_latents(
    vae: AutoencoderKL | AutoencoderTiny | VQModel,
    latents: Tensor,
    *,
    scaled: bool = True,
    **arguments: Any,  # noqa: ANN401 - the autoencoder's own
) -> Tensor:
    """Decode.

    Args:
        vae: Its config's ``scaling_factor`` and ``shift_factor``, if it has them, are undone.
        latents: (batch, channels, height, width), as the network sees them.
        scaled: Whether they are at those; False if they are the autoencoder's own already.
        arguments: What else its ``decode`` takes, such as ``force_not_quantize``.

    Returns:
        Pixels, (batch, 3, height, width), about -1 to 1, on the VAE's device.

    Raises:
        NonFiniteError: If the VAE returns NaN or infinity, also at float32.
    """
    pixels = _decode(vae, latents.to(vae.dtype), scaled, arguments)
    if not pixels.isfinite().all() and vae.dtype != torch.float32:
        # Some VAEs overflow fp16. The copy leaves the model as it is for its other users.
        pixels = _decode(copy.deepcopy(vae).float(), latents.float(), scaled, arguments)
    if not pixels.isfinite().all():
        raise NonFiniteError(
            "The VAE returned NaN or infinity instead of pixels.",
            "Try --dtype fp32; if that does not help, the VAE's weights are damaged.",
        )
    return pixels


def _decode(
    vae: Any,  # noqa: ANN401
    latents: Tensor,
    scaled: bool,
    arguments: Mapping[str, Any],
) -> Tensor:
    with running("vae"):
        if scaled:
            # z = latents / scaling_factor + shift_factor
            latents = latents / getattr(vae.config, "scaling_factor", 1.0)
            if shift := getattr(vae.config, "shift_factor", None):
                latents = latents + shift
        pixels: Tensor = vae.decode(latents, return_dict=False, **arguments)[0]
    return pixels


@torch.inference_mode()
def encode_pixels(
    vae: Any,  # noqa: ANN401
    pixels: Tensor,
    generator: torch.Generator | None,
    *,
    scaled: bool = True,
) -> Tensor:
    """Encode.

    Args:
        vae: As for `decode_latents`.
        pixels: (batch, 3, height, width), -1 to 1.
        generator: On the CPU, for VAEs that give a distribution to sample from; its mean with None.
        scaled: As for `decode_latents`.

    Returns:
        Latents as the network sees them, (batch, channels, height, width), on the VAE's device.
    """
    pixels = pixels.to(vae.device)
    latents, spread = _encode(vae, pixels.to(vae.dtype))
    if not latents.isfinite().all() and vae.dtype != torch.float32:
        latents, spread = _encode(copy.deepcopy(vae).float(), pixels.float())
    if not latents.isfinite().all():
        raise NonFiniteError(
            "The VAE returned NaN or infinity instead of the picture's latents.",
            "Try --dtype fp32; if that does not help, the VAE's weights are damaged.",
        )
    if spread is not None and generator is not None:
        # Always drawn in float32 on the CPU: one seed is one noise at every precision.
        sample = torch.randn(latents.shape, generator=generator, dtype=torch.float32)
        latents = latents + spread * sample.to(latents)
    if not scaled:
        return latents
    if shift := getattr(vae.config, "shift_factor", None):
        latents = latents - shift
    scale: float = getattr(vae.config, "scaling_factor", 1.0)
    return latents * scale


def _encode(vae: Any, pixels: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ANN401
    """Return the mean of the latents and, if the VAE gives a distribution, their deviation."""
    with running("vae"):
        encoded = vae.encode(pixels)
    if hasattr(encoded, "latent_dist"):  # AutoencoderKL
        return encoded.latent_dist.mean, encoded.latent_dist.std
    if hasattr(encoded, "latent"):  # AutoencoderDC
        return encoded.latent, None
    return encoded.latents, None  # AutoencoderTiny, VQModel
