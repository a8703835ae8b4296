"""Measures of a drawing's silhouette: how high it is somewhere, and where its head is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = ["Head", "brim_height", "find_head", "roof_height"]

OPAQUE = 128
SEAT_REACH = 0.1
"""Half the width of the stretch that must carry a thing, as a fraction of the drawing's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Where a hat goes: the middle of its lower edge and its width, as fractions of the drawing.

    ``x`` and ``width`` are fractions of the drawing's width, ``y`` of its height.
    """

    x: float
    y: float
    width: float


def roof_height(picture: Image.Image, x: float, reach: float = SEAT_REACH) -> float:
    """Return how far below the drawing's top something standing at ``x`` comes to rest.

    Args:
        picture: RGBA, trimmed.
        x: Where it stands, as a fraction of the width.
        reach: Half the width of what stands there, as a fraction of the width.

    Returns:
        Fraction of the height: the first row of which most of the stretch is opaque, so that a
        mast, a handlebar or a blue light does not count. 0.5 if there is none.
    """
    solid = _solid(picture)
    width = solid.shape[1]
    start, stop = int((x - reach) * width), int((x + reach) * width) + 1
    carried = solid[:, max(0, start) : stop].mean(axis=1) >= 0.6
    return int(carried.argmax()) / len(carried) if carried.any() else 0.5


def brim_height(picture: Image.Image) -> float:
    """Return how far below a hat's top it touches the head, as a fraction of its height.

    That is its last row that is nearly half as wide as the hat in one piece: tassels, straps and
    the tails of a bow hang lower.
    """
    solid = _solid(picture)
    height, width = solid.shape
    for row in reversed(range(height)):
        start, stop = _longest_run(solid[row])
        if stop - start >= 0.45 * width:
            return float((row + 1) / height)
    return 1.0


def find_head(picture: Image.Image, faces: str, *, only_head: bool) -> Head:
    """Guess where a hat would sit.

    The head is what is highest on the side that the animal faces; ears, horns and combs, which are
    thin, are passed over.

    Args:
        picture: RGBA, trimmed.
        faces: left, right or front.
        only_head: Whether the drawing shows nothing but the head.
    """
    solid = _solid(picture)
    if faces == "right":
        mirrored = _find_head_left(solid[:, ::-1])
        return Head(x=1 - mirrored.x, y=mirrored.y, width=mirrored.width)
    if faces == "left" and not only_head:
        return _find_head_left(solid)
    return _top(solid, 0.36 if only_head else 0.22, 0.62 if only_head else 0.5)


def _find_head_left(solid: NDArray[np.bool_]) -> Head:
    """Find the head of an animal that faces left; ``solid`` is (height, width)."""
    part = solid.shape[1] * 58 // 100
    found = _top(solid[:, :part], 0.16, 0.42 * solid.shape[1] / part)
    scale = part / solid.shape[1]
    return Head(x=found.x * scale, y=found.y, width=found.width * scale)


def _top(solid: NDArray[np.bool_], thick: float, widest: float) -> Head:
    """Find the first row that is ``thick`` across in one piece, as a fraction of the width."""
    height, width = solid.shape
    for row in range(height):
        start, stop = _longest_run(solid[row])
        if stop - start >= thick * width:
            break
    else:
        return Head(x=0.5, y=0.1, width=widest)
    # The head is wider a little below its crown.
    below = min(height - 1, row + height // 14)
    start, stop = _longest_run(solid[below])
    return Head(
        x=(start + stop) / 2 / width,
        y=(row + height * 0.05) / height,
        width=float(np.clip((stop - start) / width, widest * 0.6, widest)),
    )


def _longest_run(row: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False]))))
    if not len(edges):
        return 0, 0
    starts, stops = edges[::2], edges[1::2]
    longest = int((stops - starts).argmax())
    return int(starts[longest]), int(stops[longest])


def _solid(picture: Image.Image) -> NDArray[np.bool_]:
    return np.asarray(picture.getchannel("A")) >= OPAQUE
