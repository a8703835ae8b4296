"""The colours of heat maps, from the least to the most."""

from __future__ import annotations

from itertools import pairwise

__all__ = ["PALETTE", "colour_of"]

_STOPS = ((10, 7, 34), (88, 21, 110), (187, 55, 84), (246, 138, 15), (252, 250, 164))
"""Red, green and blue from the least to the most: dark to light, so that grey copies read alike."""


def colour_of(share: float) -> tuple[int, int, int]:
    """Return red, green and blue of a share of the most, 0 to 1."""
    at = min(max(share, 0.0), 1.0) * (len(_STOPS) - 1)
    below = min(int(at), len(_STOPS) - 2)
    low, high = [*pairwise(_STOPS)][below]
    red, green, blue = (round(a + (b - a) * (at - below)) for a, b in zip(low, high, strict=True))
    return red, green, blue


PALETTE = tuple(level for share in range(256) for level in colour_of(share / 255))
"""256 colours, as Pillow takes them."""
