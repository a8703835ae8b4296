"""How large the network is that takes most of the time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sheepgen.models.added.transformer import with_transformer
from sheepgen.models.components import stored_tensors

if TYPE_CHECKING:
    from sheepgen.models.family import Role
    from sheepgen.models.spec import ModelSpec

__all__ = ["denoiser_parameters"]

_DENOISERS: tuple[Role, ...] = (
    "U-Net",
    "transformer",
    "prior",
    "cascade prior",
    "cascade decoder",
)


def denoiser_parameters(spec: ModelSpec) -> int:
    """Return how many numbers a model's largest denoiser has, as its files say it.

    Only headers are read.

    Args:
        spec: The model, with its adapters.

    Raises:
        ModelError: If a header is damaged.
        OSError: If a file cannot be read.
    """
    checkpoint = with_transformer(spec.checkpoint, spec.adapters.transformer)
    components = checkpoint.family.components
    return max(
        (
            sum(math.prod(tensor.shape) for _, tensor in stored_tensors(checkpoint, name))
            for name in checkpoint.configs
            if components[name].role in _DENOISERS
        ),
        default=0,
    )
