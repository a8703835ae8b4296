"""Shows a drawing in another colour: its light and shade stay, its hues are replaced."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sheepgen.training.data.places import COLOURS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["recoloured"]

LUMINANCE = (0.299, 0.587, 0.114)
LEAST_SPREAD = 0.4
"""A drawing of one flat colour becomes one flat colour, not black or white."""


def recoloured(picture: Image.Image, colour: str) -> Image.Image:
    """Return the drawing in one of `COLOURS`.

    The drawing's middling brightness becomes the colour itself; darker parts a darker shade of it,
    lighter parts a lighter one. Nearly black lines and eyes stay.

    Args:
        picture: RGBA.
        colour: A key of `COLOURS`.
    """
    pixels = np.asarray(picture, np.float32)
    light = pixels[..., :3] @ np.array(LUMINANCE, np.float32) / 255
    seen = light[pixels[..., 3] > 128]
    if not seen.size:
        return picture
    low, middle, high = np.percentile(seen, (8, 50, 92))
    position = np.interp(
        light,
        (
            min(low, middle - LEAST_SPREAD / 2) - 0.1,
            middle,
            max(high, middle + LEAST_SPREAD / 2) + 0.05,
        ),
        (0, 127, 255),
    ).astype(np.uint8)
    painted = _ramp(colour)[position]
    # Eyes and outlines keep their black.
    ink = np.clip((light - 0.08) / 0.12, 0, 1)[..., None] if middle > 0.3 else 1.0
    rgb = painted * ink + pixels[..., :3] * (1 - ink)
    return Image.fromarray(
        np.concatenate((rgb, pixels[..., 3:]), axis=-1).round().astype(np.uint8), "RGBA"
    )


@cache
def _ramp(colour: str) -> NDArray[np.float32]:
    """Return 256 shades of a colour, (256, 3), dark to light, the colour itself in the middle."""
    middle = np.array(COLOURS[colour], np.float32)
    dark = middle * (0.72 if colour == "white" else 0.42)
    light = middle + (255 - middle) * (0.25 if colour == "black" else 0.5)
    steps = np.linspace(0, 2, 256, dtype=np.float32)[:, None]
    shades = np.where(
        steps < 1, dark + (middle - dark) * steps, middle + (light - middle) * (steps - 1)
    )
    return shades.astype(np.float32)
