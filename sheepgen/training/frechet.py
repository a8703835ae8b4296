"""How far two sets of pictures are apart, as their features see it: smaller is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import sqrtm

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["frechet_distance"]


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the Fréchet distance of two normal distributions fitted to features.

    It is the formula of the FID (https://arxiv.org/abs/1706.08500, equation 6), with whatever
    features are given; figures compare only where features and numbers of pictures are the same.

    Args:
        first: (pictures, features).
        second: (pictures, features).
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    apart = first.mean(axis=0) - second.mean(axis=0)
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # Where pictures are fewer than features the product is singular, and its root a little complex.
    root = np.real(sqrtm(one @ other))
    return float(apart @ apart + np.trace(one) + np.trace(other) - 2 * np.trace(root))
