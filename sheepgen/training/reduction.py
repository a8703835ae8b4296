"""Principal components: vectors made shorter with as little lost as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Reduction", "principal_components"]


class Reduction(NamedTuple):
    """A projection on the directions along which vectors differ most.

    Args:
        mean: To subtract, (width,).
        directions: To project on, (width, components).
    """

    mean: Tensor
    directions: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the vectors reduced, (vectors, components)."""
        return (vectors - self.mean) @ self.directions


def principal_components(vectors: Tensor, count: int) -> Reduction:
    """Fit a projection whose outputs have unit variance on average over the components."""
    mean = vectors.mean(0)
    _, spread, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
    scale = (spread[:count].square().mean() / len(vectors)).sqrt()
    return Reduction(mean, directions[:count].T / scale)
