"""The noise that images begin with.

It is drawn on the CPU in float32, by a generator of the image's own, and only then moved and
cast. So a seed means one noise on every device, at every precision and in every batch; at float32
it is the noise that diffusers draws from ``torch.Generator("cpu").manual_seed(seed)``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from torch import Tensor

    from sheepgen.pipeline.family import Stage
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["image_noise", "slerp", "tensor_sha256"]

_PARALLEL = 0.9995
"""Mean cosine between two noises from which on AUTOMATIC1111 mixes them along a straight line."""


def image_noise(network: Stage, request: ResolvedRequest, generator: torch.Generator) -> Tensor:
    """Return the noise of one image, (1, channels, height, width) of the latents, float32.

    Args:
        network: Knows the shape.
        request: Says whether another seed's noise is mixed in, and how much of it.
        generator: With the request's seed. It continues as if nothing were mixed in: the other
            noise comes from a generator of its own.
    """
    noise = network.draw_noise(request.width, request.height, generator)
    if request.variation_seed is None or not request.variation_strength:
        return noise
    varied = torch.Generator("cpu").manual_seed(request.variation_seed)
    other = network.draw_noise(request.width, request.height, varied)
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
    # (sin((1 - strength) * angle) * low + sin(strength * angle) * high) / sin(angle)
    angle = cosine.acos()  # (channels, 1, width)
    of_low = ((1.0 - strength) * angle).sin() / angle.sin()
    of_high = (strength * angle).sin() / angle.sin()
    # Columns on one line, and all are that are one row high, span no circle: NaN in the web UI.
    return torch.where(cosine.abs() < 1.0, of_low * low + of_high * high, straight)


def tensor_sha256(tensor: Tensor) -> str:
    """Return the SHA-256 of a tensor's elements as float32 on the CPU, in row-major order."""
    return hashlib.sha256(tensor.cpu().float().contiguous().numpy().tobytes()).hexdigest()
