"""Which thing a slot belongs to, in fewer numbers than there are things: vectors hardly alike."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from sheepgen.training.text_encoder.residual_layout import Stream

__all__ = ["identities"]

LEAST_ALIKE = 0.05
SPREADINGS = 200
"""How alike identities may be, and how often they are driven apart."""


def identities(count: int, stream: Stream) -> Tensor:
    """Return unit vectors, far from each other, as float16 holds them, (things, width)."""
    width = stream.identity.stop - stream.identity.start
    vectors = torch.zeros(count, stream.width)
    vectors[:, stream.identity] = _spread(count, width).half().float()
    return vectors


@cache
def _spread(count: int, width: int) -> Tensor:
    """Return unit vectors, (count, width), as little alike as can be.

    In a near draw between two things, likeness adds to the one what speaks for the other. In turns,
    products are made small, and vectors are found for them that are so wide: alternating projection
    (https://doi.org/10.1109/TIT.2004.839492).
    """
    if count <= width:
        return torch.eye(width)[:count]
    generator = torch.Generator().manual_seed(0)
    vectors = functional.normalize(torch.randn(count, width, generator=generator), dim=1)
    for _ in range(SPREADINGS):
        products = (vectors @ vectors.T).clamp(-LEAST_ALIKE, LEAST_ALIKE).fill_diagonal_(1)
        values, directions = torch.linalg.eigh(products)
        vectors = directions[:, -width:] * values[-width:].clamp(min=0).sqrt()
        vectors = functional.normalize(vectors, dim=1)
    return vectors
