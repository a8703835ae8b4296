"""Geometry of vectors, one for each text: cosines, the middle, and a flat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Plane", "flat_map", "mean_cosine", "normalise"]

_TINY = 1e-12


class Plane(NamedTuple):
    """Points on a plane.

    Args:
        points: (points, 2).
        shares: Of their variance that each axis shows, 0 to 1.
    """

    points: Tensor
    shares: tuple[float, float]


def normalise(vectors: Tensor) -> Tensor:
    """Scale vectors to length 1, in place; those without a direction stay zeros.

    Args:
        vectors: (texts, width).
    """
    return vectors.div_(vectors.norm(dim=1, keepdim=True).clamp(min=_TINY))


def mean_cosine(unit: Tensor) -> float:
    """Return the mean cosine of two different vectors of several, which says how narrow they lie.

    The sum over all pairs is the squared length of the sum, so none is computed by itself.

    Args:
        unit: (texts, width), of length 1, at least two.
    """
    count = len(unit)
    total = unit.sum(0, dtype=torch.float64)
    # A vector without a direction is 0 on the diagonal, all others are 1.
    diagonal = unit.square().sum(dtype=torch.float64)
    return float((total @ total - diagonal) / (count * (count - 1)))


def flat_map(unit: Tensor) -> Plane:
    """Return the plane that shows most of the variance of vectors: PCA.

    Of unit vectors it is the same as classical multidimensional scaling of the square roots of
    their cosine distances, since |a - b|² = 2 (1 - cos). It is computed from their products, which
    are fewer than their numbers.

    Args:
        unit: (texts, width), of length 1.
    """
    count = len(unit)
    deviations = unit.double() - unit.double().mean(0)
    values, axes = torch.linalg.eigh(deviations @ deviations.T)  # ascending
    values = values.clamp(min=0)
    total = float(values.sum().clamp(min=_TINY))
    points = torch.zeros(count, 2, dtype=torch.float64)
    shares = [0.0, 0.0]
    for axis in range(min(2, count)):
        along = axes[:, -1 - axis] * values[-1 - axis].sqrt()
        # Which way an axis points is chance; so the largest number on it is positive.
        largest = along[along.abs().argmax()]
        points[:, axis] = -along if largest < 0 else along
        shares[axis] = float(values[-1 - axis]) / total
    return Plane(points, (shares[0], shares[1]))
