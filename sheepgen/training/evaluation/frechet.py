"""How far two sets of pictures are apart, as their features see it: smaller is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["frechet_distance"]


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the Fréchet distance of two normal distributions fitted to features.

    It is the formula of the FID (https://arxiv.org/abs/1706.08500, equation 6), with whatever
    features are given; figures compare only where features and numbers of pictures are the same.

    Args:
        first: (pictures, features), two pictures or more.
        second: (pictures, features), the same.
    """
    apart = first.mean(axis=0, dtype=np.float64) - second.mean(axis=0, dtype=np.float64)
    one, other = _spread(first), _spread(second)
    # The trace of the root of the covariances' product, without that root: where pictures are
    # fewer than features, the product is singular and its root uncertain; singular values are not.
    shared = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    return float(apart @ apart + (one**2).sum() + (other**2).sum() - 2 * shared)


def _spread(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a matrix whose transpose times itself is the features' covariance."""
    centred = np.asarray(features, np.float64) - features.mean(axis=0, dtype=np.float64)
    spread: NDArray[np.float64] = centred / np.sqrt(len(features) - 1)
    return spread
