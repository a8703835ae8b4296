"""Latents: drawn as noise, varied, scaled for a scheduler, decoded to pixels, hashed.

Noise is drawn on the CPU in float32, by a generator of the image's own, and only then moved and
cast. So a seed means one noise on every device, in every number format and in every batch; at
float32 it is the noise that diffusers draws from ``torch.Generator("cpu").manual_seed(seed)``.
"""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch.nn.functional import normalize

from sheepgen.errors import NonFiniteError
from sheepgen.pipeline.building import running

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, SchedulerMixin
    from torch import Tensor

    from sheepgen.pipeline.parts import PipelineParts
    from sheepgen.request import GenerationRequest

__all__ = [
    "decode_latents",
    "draw_noise",
    "prepare_latents",
    "slerp",
    "tensor_sha256",
    "to_pil",
    "vary_noise",
]

_PARALLEL = 0.9995
"""Mean cosine between two noises from which on AUTOMATIC1111 mixes them along a straight line."""


def draw_noise(parts: PipelineParts, width: int, height: int, generator: torch.Generator) -> Tensor:
    """Draw the noise of one image, (1, channels, height, width) of the latents, float32.

    The noise is the first that is taken from ``generator``; what the scheduler draws at its
    steps is taken from the same one behind it.

    Args:
        parts: The model.
        width: Of the image, in pixels, a multiple of the model's spatial factor.
        height: Likewise.
        generator: On the CPU.
    """
    scale = parts.spec.size_multiple
    shape = (1, parts.unet.config.in_channels, height // scale, width // scale)
    return torch.randn(shape, generator=generator, dtype=torch.float32)


def vary_noise(noise: Tensor, request: GenerationRequest) -> Tensor:
    """Mix another seed's noise into one image's, as far as the request wants it.

    Args:
        noise: From `draw_noise`, with the request's own seed. Its generator goes on behind it as
            if nothing were mixed in: the other noise comes from a generator of its own.
        request: Says which seed and how much of it; none is told by a strength of 0.
    """
    if request.variation_seed is None or not request.variation_strength:
        return noise
    generator = torch.Generator("cpu").manual_seed(request.variation_seed)
    other = torch.randn(noise.shape, generator=generator, dtype=torch.float32)
    return slerp(request.variation_strength, noise[0], other[0]).unsqueeze(0)


def slerp(strength: float, low: Tensor, high: Tensor) -> Tensor:
    """Go from one noise to another along the sphere, so that what is between is noise as well.

    The vectors that turn are the columns of each channel, for that is what AUTOMATIC1111's web UI
    turns (``slerp`` in ``modules/rng.py`` there): one strength means the same here as there.

    Args:
        strength: 0 to 1; 0 is all ``low``, 1 all ``high``.
        low: (channels, height, width).
        high: Likewise.
    """
    straight = torch.lerp(low, high, strength)
    cosine = (normalize(low, dim=1) * normalize(high, dim=1)).sum(dim=1, keepdim=True)
    # In the web UI this line runs from `high` to `low`, its operands swapped. It is the straight
    # way between two noises that are all but one, as of a seed with itself, so that either
    # direction shows the same picture; here a greater strength is nearer to `high` all the same.
    if cosine.mean() > _PARALLEL:
        return straight
    angle = cosine.acos()
    of_low = ((1.0 - strength) * angle).sin() / angle.sin()
    of_high = (strength * angle).sin() / angle.sin()
    # Columns on one line, and all are that are one row high, span no circle: NaN in the web UI.
    return torch.where(cosine.abs() < 1.0, of_low * low + of_high * high, straight)


def prepare_latents(parts: PipelineParts, scheduler: SchedulerMixin, noise: Tensor) -> Tensor:
    """Move noise to the model and scale it as the scheduler, its timesteps set, begins.

    Args:
        parts: The model.
        scheduler: Says how large its first latents are.
        noise: (batch, channels, height, width).
    """
    latents: Tensor = noise.to(parts.device, parts.dtype) * scheduler.init_noise_sigma
    return latents


@torch.inference_mode()
def decode_latents(parts: PipelineParts, latents: Tensor) -> Tensor:
    """Decode with the VAE.

    Args:
        parts: The model.
        latents: (batch, channels, height, width), as the U-Net sees them.

    Returns:
        Pixels, (batch, 3, height, width), 0 to 1, float32, on the CPU.

    Raises:
        NonFiniteError: If the VAE returns NaN or infinity, also at float32.
    """
    pixels = _decode(parts.vae, latents.to(parts.dtype))
    if not pixels.isfinite().all() and parts.dtype != torch.float32:
        # Some VAEs overflow fp16. The copy leaves the model as it is for whoever else uses it.
        pixels = _decode(copy.deepcopy(parts.vae).float(), latents.float())
    if not pixels.isfinite().all():
        raise NonFiniteError(
            "The VAE returned NaN or infinity instead of pixels.",
            "Try --dtype fp32; if that does not help, the VAE's weights are damaged.",
        )
    return (pixels * 0.5 + 0.5).clamp(0, 1).cpu().float()


def _decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    with running("vae"):
        pixels: Tensor = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
    return pixels


def to_pil(pixels: Tensor) -> list[Image.Image]:
    """Round pixels, (batch, 3, height, width), 0 to 1, to 8 bits as diffusers does."""
    levels = (pixels.permute(0, 2, 3, 1).numpy() * 255).round().astype("uint8")
    return [Image.fromarray(level) for level in levels]


def tensor_sha256(tensor: Tensor) -> str:
    """Return the SHA-256 of a tensor's elements as float32 on the CPU, in row-major order."""
    return hashlib.sha256(tensor.cpu().float().contiguous().numpy().tobytes()).hexdigest()
