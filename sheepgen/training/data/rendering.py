"""Paints scenes: backdrop, shadows, things, weather, in this order."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from sheepgen.training.data.backgrounds import paint_backdrop, paint_weather
from sheepgen.training.data.layout import lay_out
from sheepgen.training.data.recolour import recoloured

if TYPE_CHECKING:
    from sheepgen.training.data.icons import Drawings
    from sheepgen.training.data.placement import Placement
    from sheepgen.training.data.scene import Scene

__all__ = ["paint_scene"]

SHADOW_STRENGTH = 70
"""Of 255, where a shadow is darkest."""

DARK = 300
"""A sum of red, green and blue below which ink must be light."""


def paint_scene(scene: Scene, drawings: Drawings, size: int) -> Image.Image:
    """Paint a scene.

    Args:
        scene: What to paint; equal scenes give equal pictures.
        drawings: Where its things come from.
        size: Side in pixels, 32 or more.

    Returns:
        RGB, ``size`` by ``size``.
    """
    # Another stream than the layout's, which is asked for without a picture, too.
    rng = random.Random(f"painter/{scene.layout_seed}")  # noqa: S311
    canvas = paint_backdrop(rng, scene, size)
    if scene.kind == "digits":
        _paint_digits(rng, canvas, drawings, scene.subject)
        return canvas
    placements = lay_out(scene, drawings)
    for thing in placements:
        if thing.shadow:
            _paint_shadow(canvas, thing)
    for thing in placements:
        _paint_thing(canvas, drawings.thing(scene.style, thing.name), thing)
    paint_weather(rng, scene, canvas)
    return canvas


def _paint_thing(canvas: Image.Image, drawing: Image.Image, thing: Placement) -> None:
    size = canvas.width
    shape = (max(1, round(thing.width * size)), max(1, round(thing.height * size)))
    picture = drawing.resize(shape, Image.Resampling.LANCZOS, reducing_gap=3)
    if thing.colour:
        picture = recoloured(picture, thing.colour)
    if thing.flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    canvas.paste(picture, (round(thing.x * size), round(thing.y * size)), picture)


def _paint_shadow(canvas: Image.Image, thing: Placement) -> None:
    """Darken a soft ellipse under a thing."""
    size = canvas.width
    width, height = thing.width * 1.1 * size, max(4.0, thing.width * 0.2 * size)
    mask = _soft_ellipse().resize((max(1, round(width)), round(height)))
    left = round((thing.x + thing.width / 2) * size - width / 2)
    top = round(thing.bottom * size - height * 0.6)
    canvas.paste((0, 0, 0), (left, top), mask)


@lru_cache(maxsize=1)
def _soft_ellipse() -> Image.Image:
    mask = Image.new("L", (128, 128))
    ImageDraw.Draw(mask).ellipse((20, 20, 108, 108), fill=SHADOW_STRENGTH)
    return mask.filter(ImageFilter.GaussianBlur(9))


def _paint_digits(rng: random.Random, canvas: Image.Image, drawings: Drawings, digits: str) -> None:
    size = canvas.width
    side = round(size * rng.uniform(0.66, 0.84) / (1 if len(digits) == 1 else 1.45))
    step = round(side * 0.72)
    left = (size - step * (len(digits) - 1) - side) // 2
    top = (size - side) // 2 + round(size * rng.uniform(-0.05, 0.05))
    pixel = canvas.getpixel((0, size // 2))
    assert isinstance(pixel, tuple)
    ink = (246, 246, 240) if sum(pixel) < DARK else (30, 32, 44)
    for place, digit in enumerate(digits):
        mask = drawings.digit(int(digit), rng.randrange(1 << 16))
        mask = mask.resize((side, side), Image.Resampling.BICUBIC)
        canvas.paste(ink, (left + place * step, top), mask)
