"""Maps as pictures: in colours, over the image, and what two images differ in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageChops
from torch.nn.functional import interpolate

from sheepgen.output.palette import PALETTE

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["colour_map", "difference_map", "difference_picture", "overlay", "transparent_map"]

_STRONGEST = 0.8
"""Opacity of the most in an overlay."""


def _levels(heat: Tensor, low: float, high: float) -> Image.Image:
    """Return a map as grey levels, 0 at ``low`` and 255 at ``high``."""
    scaled = ((heat - low) / max(high - low, 1e-12)).clamp(0, 1)
    return Image.fromarray((scaled * 255).round().to(torch.uint8).numpy())


def _coloured(levels: Image.Image) -> Image.Image:
    coloured = levels.copy()
    coloured.putpalette(PALETTE)
    return coloured.convert("RGB")


def colour_map(heat: Tensor, size: tuple[int, int]) -> Image.Image:
    """Return a map in colours, from its least to its most.

    Args:
        heat: (rows, columns).
        size: Of the picture, in pixels.
    """
    levels = _levels(heat, float(heat.min()), float(heat.max()))
    return _coloured(levels.resize(size, Image.Resampling.BICUBIC))


def overlay(image: Image.Image, heat: Tensor) -> Image.Image:
    """Return a map over a greyed image: the more there is, the less of the image shows."""
    levels = _levels(heat, float(heat.min()), float(heat.max()))
    levels = levels.resize(image.size, Image.Resampling.BICUBIC)
    grey = image.convert("L").convert("RGB")
    return Image.composite(
        _coloured(levels), grey, levels.point(lambda level: round(level * _STRONGEST))
    )


def transparent_map(heat: Tensor, *, low: float, high: float) -> Image.Image:
    """Return a small map, one pixel a cell, that is laid over a picture: RGBA.

    Args:
        heat: (rows, columns).
        low: What is not shown at all.
        high: What is shown most.
    """
    levels = _levels(heat, low, high)
    small = _coloured(levels)
    small.putalpha(levels.point(lambda level: round(level * _STRONGEST)))
    return small


def difference_picture(before: Image.Image, after: Image.Image) -> Image.Image:
    """Return where two images of one size differ, in colours from nothing to the most."""
    difference = ImageChops.difference(before.convert("RGB"), after.convert("RGB")).convert("L")
    _, most = difference.getextrema()
    return _coloured(difference.point(lambda level: round(255 * level / max(1, most))))


def difference_map(before: Image.Image, after: Image.Image, shape: tuple[int, int]) -> Tensor:
    """Return how much two images differ in each cell.

    Args:
        before: An image.
        after: Another one of its size.
        shape: Rows and columns.

    Returns:
        Mean absolute difference of colours, 0 to 1, (rows, columns), float32.
    """
    difference = ImageChops.difference(before.convert("RGB"), after.convert("RGB"))
    flat = torch.frombuffer(bytearray(difference.tobytes()), dtype=torch.uint8)
    pixels = flat.reshape(1, difference.height, difference.width, 3).float().mean(-1) / 255
    cells: Tensor = interpolate(pixels[None], shape, mode="area")[0, 0]
    return cells
