"""Paints what is behind: sky and ground, and the features that make a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sheepgen.training.data.backgrounds import (
    COLOURS,
    PLACES,
    TIMES,
    TINTS,
    WEATHERS,
    Place,
    Rgb,
)
from sheepgen.training.data.features import FEATURES, FRONT_FEATURES
from sheepgen.training.data.paper import Paper

if TYPE_CHECKING:
    import random

    from sheepgen.training.data.scene import Scene

__all__ = ["paint_background", "paint_weather"]

OVERSAMPLING = 2
"""Backdrops are painted so many times larger and shrunk, for smooth edges."""

NOWHERE = Place(phrases=(), sky=PLACES["field"].sky, ground=PLACES["field"].ground)
"""Where a scene is whose caption names only the hour."""

FALLING: Rgb = (236, 243, 252)
"""Rain and snow."""

RAIN_GRAY: Rgb = (112, 122, 134)


def paint_background(rng: random.Random, scene: Scene, size: int) -> Image.Image:
    """Paint a scene's background.

    Returns:
        RGB, ``size`` by ``size`` pixels.
    """
    if not scene.has_backdrop:
        tint = rng.choice(TINTS)
        return Image.new("RGB", (size, size), COLOURS.get(scene.background, tint))
    place = PLACES.get(scene.place, NOWHERE)
    sky, ground, over, features = place.sky, place.ground, (1.0, 1.0, 1.0), place.features
    if scene.time:
        light = TIMES[scene.time]
        sky, over = light.sky, light.shade
        features = light.features + features
    if scene.weather:
        weather = WEATHERS[scene.weather]
        sky = _grayed(sky, weather.gray)
        ground = _grayed(ground, weather.gray * 0.6)
        features = (*(name for name in weather.features if name not in FRONT_FEATURES), *features)
    side = size * OVERSAMPLING
    horizon = round(side * (place.horizon + rng.uniform(-0.03, 0.03)))
    ground = (_shaded(ground[0], over), _shaded(ground[1], over))
    canvas = Image.new("RGB", (side, side))
    canvas.paste(_gradient(*sky, side, horizon), (0, 0))
    canvas.paste(_gradient(*ground, side, side - horizon), (0, horizon))
    paper = Paper(draw=ImageDraw.Draw(canvas), rng=rng, side=side, horizon=horizon, shade=over)
    for name in features:
        FEATURES[name](paper)
    return canvas.reduce(OVERSAMPLING)


def paint_weather(rng: random.Random, scene: Scene, canvas: Image.Image) -> None:
    """Paint what falls in front of everything, onto an RGB canvas."""
    features = WEATHERS[scene.weather].features if scene.weather else ()
    falling = [FRONT_FEATURES[name] for name in features if name in FRONT_FEATURES]
    if not falling:
        return
    side = canvas.width * OVERSAMPLING
    mask = Image.new("L", (side, side))
    paper = Paper(
        draw=ImageDraw.Draw(mask), rng=rng, side=side, horizon=side, shade=(1.0, 1.0, 1.0)
    )
    for paint in falling:
        paint(paper)
    canvas.paste(FALLING, (0, 0), mask.reduce(OVERSAMPLING))


def _grayed(colours: tuple[Rgb, Rgb], amount: float) -> tuple[Rgb, Rgb]:
    upper, lower = colours
    return _mixed(upper, RAIN_GRAY, amount), _mixed(lower, RAIN_GRAY, amount)


def _mixed(colour: Rgb, other: Rgb, amount: float) -> Rgb:
    red, green, blue = (
        round(mine + (theirs - mine) * amount) for mine, theirs in zip(colour, other, strict=True)
    )
    return red, green, blue


def _shaded(colour: Rgb, shade: tuple[float, float, float]) -> Rgb:
    red, green, blue = (round(part * by) for part, by in zip(colour, shade, strict=True))
    return red, green, blue


def _gradient(top: Rgb, bottom: Rgb, width: int, height: int) -> Image.Image:
    column = Image.new("RGB", (1, 2))
    column.putdata([top, bottom])
    # Resampling two pixels this way keeps both ends flat for a quarter; the box cuts that off.
    return column.resize((width, height), Image.Resampling.BILINEAR, box=(0, 0.5, 1, 1.5))
