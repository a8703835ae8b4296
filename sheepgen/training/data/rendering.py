"""Paint scenes: background, shadows, icons, weather, in this order."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sheepgen.training.data.background_painting import paint_background, paint_weather
from sheepgen.training.data.backgrounds import COLOURS
from sheepgen.training.data.layout import lay_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.data.layout import Placement
    from sheepgen.training.data.scene import Scene

__all__ = ["paint_scene", "recolour"]

SHADOW_STRENGTH = 70
"""Of 255, at the darkest point of a shadow."""

DARK_SUM = 300
"""Digits are light on backgrounds with a lower sum of red, green and blue."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""

MIN_CONTRAST = 0.4
"""The least range of brightness that is recoloured, so that flat icons do not turn black or white.
"""


def paint_scene(scene: Scene, icons: IconStore, size: int) -> Image.Image:
    """Paint a scene.

    Args:
        scene: Equal scenes give equal pictures.
        icons: The source of icons and digits.
        size: Side in pixels, 32 or more.

    Returns:
        RGB, ``size`` by ``size``.
    """
    # Not the layout's stream: layouts are also computed without a picture.
    rng = random.Random(f"painter/{scene.layout_seed}")  # noqa: S311
    canvas = paint_background(rng, scene, size)
    if scene.kind == "digits":
        _paint_digits(rng, canvas, icons, scene.subject)
        return canvas
    placements = lay_out(scene, icons)
    for placement in placements:
        if placement.shadow:
            _paint_shadow(canvas, placement)
    for placement in placements:
        _paint_icon(canvas, icons.icon(scene.style, placement.name), placement)
    paint_weather(rng, scene, canvas)
    return canvas


def _paint_icon(canvas: Image.Image, icon: Image.Image, placement: Placement) -> None:
    size = canvas.width
    shape = (max(1, round(placement.width * size)), max(1, round(placement.height * size)))
    icon = icon.resize(shape, Image.Resampling.LANCZOS, reducing_gap=3)
    if placement.colour:
        icon = recolour(icon, placement.colour)
    if placement.flip:
        icon = icon.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    canvas.paste(icon, (round(placement.x * size), round(placement.y * size)), icon)


def _paint_shadow(canvas: Image.Image, placement: Placement) -> None:
    """Darken a soft ellipse on the ground below an icon."""
    size = canvas.width
    width, height = placement.width * 1.1 * size, max(4.0, placement.width * 0.2 * size)
    mask = _soft_ellipse().resize((max(1, round(width)), round(height)))
    left = round((placement.x + placement.width / 2) * size - width / 2)
    top = round(placement.bottom * size - height * 0.6)
    canvas.paste((0, 0, 0), (left, top), mask)


@cache
def _soft_ellipse() -> Image.Image:
    mask = Image.new("L", (128, 128))
    ImageDraw.Draw(mask).ellipse((20, 20, 108, 108), fill=SHADOW_STRENGTH)
    return mask.filter(ImageFilter.GaussianBlur(9))


def _paint_digits(rng: random.Random, canvas: Image.Image, icons: IconStore, digits: str) -> None:
    size = canvas.width
    side = round(size * rng.uniform(0.66, 0.84) / (1 if len(digits) == 1 else 1.45))
    step = round(side * 0.72)
    left = (size - step * (len(digits) - 1) - side) // 2
    top = (size - side) // 2 + round(size * rng.uniform(-0.05, 0.05))
    pixel = canvas.getpixel((0, size // 2))
    assert isinstance(pixel, tuple)
    ink = (246, 246, 240) if sum(pixel) < DARK_SUM else (30, 32, 44)
    for index, digit in enumerate(digits):
        mask = icons.digit(int(digit), rng.randrange(1 << 16))
        mask = mask.resize((side, side), Image.Resampling.BICUBIC)
        canvas.paste(ink, (left + index * step, top), mask)


def recolour(icon: Image.Image, colour: str) -> Image.Image:
    """Return an icon in another colour, with its light and shade.

    Its median brightness becomes the colour itself, darker parts a darker shade and lighter parts
    a lighter one. Nearly black lines and eyes stay black.

    Args:
        icon: RGBA.
        colour: A key of `COLOURS`.
    """
    pixels = np.asarray(icon, np.float32)
    brightness = pixels[..., :3] @ np.array(LUMA, np.float32) / 255
    opaque = brightness[pixels[..., 3] > 128]
    if not opaque.size:
        return icon
    low, median, high = np.percentile(opaque, (8, 50, 92))
    darkest = min(low, median - MIN_CONTRAST / 2) - 0.1
    lightest = max(high, median + MIN_CONTRAST / 2) + 0.05
    shades = np.interp(brightness, (darkest, median, lightest), (0, 127, 255)).astype(np.uint8)
    # 0 keeps the icon's own pixel, 1 takes the shade: outlines and eyes stay, unless all is dark.
    strength = np.clip((brightness - 0.08) / 0.12, 0, 1)[..., None] if median > 0.3 else 1.0
    rgb = _shades_of(colour)[shades] * strength + pixels[..., :3] * (1 - strength)
    return Image.fromarray(
        np.concatenate((rgb, pixels[..., 3:]), axis=-1).round().astype(np.uint8), "RGBA"
    )


@cache
def _shades_of(colour: str) -> NDArray[np.float32]:
    """Return 256 shades of a colour, (256, 3), from dark to light, the colour in the middle."""
    middle = np.array(COLOURS[colour], np.float32)
    dark = middle * (0.72 if colour == "white" else 0.42)
    light = middle + (255 - middle) * (0.25 if colour == "black" else 0.5)
    steps = np.linspace(0, 2, 256, dtype=np.float32)[:, None]
    shades = np.where(
        steps < 1, dark + (middle - dark) * steps, middle + (light - middle) * (steps - 1)
    )
    return shades.astype(np.float32)
