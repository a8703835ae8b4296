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
    """Fit a projection whose outputs have unit variance on average over the components.

    Args:
        vectors: What it is fitted on, (vectors, width).
        count: Components; there are at most ``width``, and one fewer than vectors.

    Raises:
        ValueError: If no component is asked for, or the vectors are all alike.
    """
    count = min(count, len(vectors) - 1)
    mean = vectors.mean(0)
    _, spread, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
    if count < 1 or not spread[0] > 0:
        raise ValueError(f"{len(vectors)} vectors have no {count} components")
    scale = (spread[:count].square().mean() / len(vectors)).sqrt()
    return Reduction(mean, directions[:count].T / scale)
