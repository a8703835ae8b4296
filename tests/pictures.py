"""Pictures to start from, drawn for tests."""

from __future__ import annotations

from PIL import Image


def photograph(width: int, height: int) -> Image.Image:
    """Return an RGB picture in which every place has another colour."""
    red = Image.linear_gradient("L").resize((width, height))
    green = Image.radial_gradient("L").resize((width, height))
    blue = red.transpose(Image.Transpose.ROTATE_180)
    return Image.merge("RGB", (red, green, blue))
