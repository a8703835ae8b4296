"""Paint backgrounds: sky and ground, the features of a place, and the weather in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sheepgen.training.data.background_canvas import Canvas
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, TINTS, WEATHERS, Place

if TYPE_CHECKING:
    import random

    from sheepgen.training.data.background_canvas import Rgb
    from sheepgen.training.data.scene import Scene

__all__ = ["paint_background", "paint_weather"]

OVERSAMPLING = 2
"""Backgrounds are painted this many times larger and reduced, for smooth edges."""

DEFAULT_PLACE = Place(phrases=(), sky=PLACES["field"].sky, ground=PLACES["field"].ground)
"""The place of a scene that has only a time or weather."""

PRECIPITATION: Rgb = (236, 243, 252)
"""The colour of rain and snow."""

OVERCAST: Rgb = (112, 122, 134)
NO_SHADE = (1.0, 1.0, 1.0)


def paint_background(rng: random.Random, scene: Scene, size: int) -> Image.Image:
    """Paint a scene's background.

    Returns:
        RGB, ``size`` by ``size`` pixels.
    """
    if not scene.has_scenery:
        tint = rng.choice(TINTS)
        return Image.new("RGB", (size, size), COLOURS.get(scene.background, tint))
    place = PLACES.get(scene.place, DEFAULT_PLACE)
    sky, ground, shade, features = place.sky, place.ground, NO_SHADE, place.features
    if scene.time:
        time = TIMES[scene.time]
        sky, shade = time.sky, time.shade
        features = time.features + features
    if scene.weather:
        weather = WEATHERS[scene.weather]
        sky = _grayed(sky, weather.gray)
        ground = _grayed(ground, weather.gray * 0.6)
        features = weather.features + features
    side = size * OVERSAMPLING
    horizon = round(side * (place.horizon + rng.uniform(-0.03, 0.03)))
    picture = Image.new("RGB", (side, side))
    draw = ImageDraw.Draw(picture)
    canvas = Canvas(draw=draw, rng=rng, side=side, horizon=horizon, shade=shade)
    near, far = (canvas.shaded(colour) for colour in ground)
    picture.paste(_gradient(*sky, side, horizon), (0, 0))
    picture.paste(_gradient(near, far, side, side - horizon), (0, horizon))
    for paint in features:
        paint(canvas)
    return picture.reduce(OVERSAMPLING)


def paint_weather(rng: random.Random, scene: Scene, picture: Image.Image) -> None:
    """Paint rain or snow in front of everything, onto an RGB picture."""
    features = WEATHERS[scene.weather].front_features if scene.weather else ()
    if not features:
        return
    side = picture.width * OVERSAMPLING
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    canvas = Canvas(draw=draw, rng=rng, side=side, horizon=side, shade=NO_SHADE)
    for paint in features:
        paint(canvas)
    picture.paste(PRECIPITATION, (0, 0), mask.reduce(OVERSAMPLING))


def _grayed(colours: tuple[Rgb, Rgb], amount: float) -> tuple[Rgb, Rgb]:
    upper, lower = colours
    return _mixed(upper, OVERCAST, amount), _mixed(lower, OVERCAST, amount)


def _mixed(colour: Rgb, other: Rgb, amount: float) -> Rgb:
    red, green, blue = (
        round(start + (end - start) * amount) for start, end in zip(colour, other, strict=True)
    )
    return red, green, blue


def _gradient(top: Rgb, bottom: Rgb, width: int, height: int) -> Image.Image:
    column = Image.new("RGB", (1, 2))
    column.putdata([top, bottom])
    # Bilinear resampling of two pixels is flat for a quarter at either end; the box cuts that off.
    return column.resize((width, height), Image.Resampling.BILINEAR, box=(0, 0.5, 1, 1.5))
