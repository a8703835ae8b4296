"""Measure icons' silhouettes: where something can stand on one, and where its head is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Head", "brim_height", "find_head", "support_height"]

OPAQUE = 128
"""The least opacity, of 255, that belongs to a silhouette."""

SEAT_REACH = 0.1


class Head(NamedTuple):
    """Where the middle of a hat's lower edge goes, as fractions of the icon's width and height."""

    x: float
    y: float


def support_height(icon: Image.Image, x: float, reach: float = SEAT_REACH) -> float:
    """Return how far below an icon's top something that stands at ``x`` comes to rest.

    Masts, handlebars and blue lights do not count: the result is the first row of which at least
    60% around ``x`` is opaque.

    Args:
        icon: RGBA, trimmed.
        x: Where it stands, as a fraction of the width.
        reach: Half the width of what stands there, as a fraction of the width.

    Returns:
        Fraction of the height; 0.5 if there is no such row.
    """
    solid = _solid(icon)
    width = solid.shape[1]
    start, stop = int((x - reach) * width), int((x + reach) * width) + 1
    carries = solid[:, max(0, start) : stop].mean(axis=1) >= 0.6
    return int(carries.argmax()) / len(carries) if carries.any() else 0.5


def brim_height(icon: Image.Image) -> float:
    """Return how far below a hat's top it touches the head, as a fraction of its height.

    That is the last row with an unbroken run of nearly half the hat's width: tassels, straps and
    the ends of a bow hang lower.
    """
    solid = _solid(icon)
    height, width = solid.shape
    for row in reversed(range(height)):
        start, stop = _longest_run(solid[row])
        if stop - start >= 0.45 * width:
            return float((row + 1) / height)
    return 1.0


def find_head(icon: Image.Image, faces: str, *, only_head: bool) -> Head:
    """Estimate where a hat sits.

    The head is the highest part on the side that the animal faces, apart from ears, horns and
    combs, which are thin.

    Args:
        icon: RGBA, trimmed.
        faces: left, right or front.
        only_head: Whether the icon shows nothing but the head.
    """
    solid = _solid(icon)
    if faces == "right":
        mirrored = _find_head_left(solid[:, ::-1])
        return Head(x=1 - mirrored.x, y=mirrored.y)
    if faces == "left" and not only_head:
        return _find_head_left(solid)
    return _find_crown(solid, 0.36 if only_head else 0.22)


def _find_head_left(solid: NDArray[np.bool_]) -> Head:
    """Find the head in the left part of a silhouette, (height, width)."""
    part = solid.shape[1] * 58 // 100
    head = _find_crown(solid[:, :part], 0.16)
    return Head(x=head.x * (part / solid.shape[1]), y=head.y)


def _find_crown(solid: NDArray[np.bool_], min_width: float) -> Head:
    """Find the first row with an unbroken run of ``min_width``, a fraction of the width."""
    height, width = solid.shape
    for row in range(height):
        start, stop = _longest_run(solid[row])
        if stop - start >= min_width * width:
            # The run a little below is the head's, and wider.
            start, stop = _longest_run(solid[min(height - 1, row + height // 14)])
            return Head(x=(start + stop) / 2 / width, y=(row + height * 0.05) / height)
    return Head(x=0.5, y=0.1)


def _longest_run(row: NDArray[np.bool_]) -> tuple[int, int]:
    """Return start and stop of the longest run of True; (0, 0) if there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False]))))
    if not len(edges):
        return 0, 0
    starts, stops = edges[::2], edges[1::2]
    longest = int((stops - starts).argmax())
    return int(starts[longest]), int(stops[longest])


def _solid(icon: Image.Image) -> NDArray[np.bool_]:
    return np.asarray(icon.getchannel("A")) >= OPAQUE
