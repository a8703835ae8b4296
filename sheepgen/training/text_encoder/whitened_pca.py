"""Principal components: vectors made shorter with as little lost as can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Reduction", "evened_components", "principal_components"]

LEAST_SPREAD = 0.01
"""Of the first component's: components that vary less than this are hardly more than rounding."""


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


def evened_components(vectors: Tensor, count: int, evenness: float) -> Reduction:
    """Fit `principal_components` that vary more alike, with unit variance on average, too.

    Args:
        vectors: What it is fitted on, (vectors, width).
        count: Components; there are at most ``width``, and one fewer than vectors.
        evenness: 0 leaves their spreads as they are, 1 makes them equal.

    Raises:
        ValueError: If no component is asked for, or the vectors are all alike.
    """
    reduction = principal_components(vectors, count)
    spread = reduction(vectors).std(0)
    evening = spread.clamp(min=LEAST_SPREAD * spread[0]) ** -evenness
    scale = evening / (spread * evening).square().mean().sqrt()
    return Reduction(reduction.mean, reduction.directions * scale)
