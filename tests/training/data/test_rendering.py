"""Pictures: always the same, and with the colours, place and weather of the scene."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sheepgen.training.data.background_painting import paint_background
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.rendering import paint_scene, recolour
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.data.scene import Scene
from tests.training.data.fakes import Blocks, colour_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 64
SINGLE = Scene(kind="single", subject="star", style="noto", layout_seed=4)
RIDING = Scene(kind="riding", subject="cat", other="bus", style="noto", background="white")


def where(picture: Image.Image, name: str) -> NDArray[np.intp]:
    """Return the (row, column) of every pixel of a concept's colour."""
    return np.argwhere((np.asarray(picture) == colour_of(name)).all(axis=-1))


def test_a_scene_is_painted_the_same_way_every_time() -> None:
    for index in range(60):
        scene = sample_scene("1/train", index)
        first, second = (paint_scene(scene, Blocks(), SIZE) for _ in range(2))
        assert first.size == (SIZE, SIZE)
        assert first.mode == "RGB"
        assert first.tobytes() == second.tobytes()


def test_layouts_scale_with_the_picture() -> None:
    small, large = (paint_scene(RIDING, Blocks(), size) for size in (64, 256))
    for name in ("cat", "bus"):
        assert where(small, name).mean(0) / 64 == pytest.approx(
            where(large, name).mean(0) / 256, abs=0.02
        )


def test_digits_are_light_on_dark() -> None:
    scene = Scene(kind="digits", subject="8", background="black")
    assert np.asarray(paint_scene(scene, Blocks(), SIZE)).max() > 240
    scene = replace(scene, background="white")
    assert np.asarray(paint_scene(scene, Blocks(), SIZE)).min() < 60


def test_every_two_places_differ() -> None:
    pictures = [
        np.asarray(paint_background(random.Random(4), replace(SINGLE, place=place), SIZE), int)
        for place in PLACES
    ]
    for one, other in combinations(pictures, 2):
        assert abs(one - other).mean() > 2


@pytest.mark.parametrize("place", [name for name, place in PLACES.items() if place.open_air])
def test_open_air_places_have_a_sky_and_a_ground(place: str) -> None:
    picture = np.asarray(paint_scene(replace(SINGLE, place=place), Blocks(), SIZE), int)
    assert abs(picture[1].mean(0) - picture[-2].mean(0)).sum() > 30


def test_times_and_weather_change_a_place() -> None:
    plain = np.asarray(paint_scene(replace(SINGLE, place="field"), Blocks(), SIZE), int)
    changed = [replace(SINGLE, place="field", time=time) for time in TIMES]
    changed += [replace(SINGLE, place="field", weather=weather) for weather in WEATHERS]
    for scene in changed:
        assert abs(np.asarray(paint_scene(scene, Blocks(), SIZE), int) - plain).mean() > 1, scene


@pytest.mark.parametrize("colour", list(COLOURS))
@pytest.mark.parametrize("shade", [20, 128, 240])
def test_recoloured_icons_have_the_colour(colour: str, shade: int) -> None:
    picture = Image.new("RGBA", (9, 9), (shade, shade, shade, 255))
    pixel = np.asarray(recolour(picture, colour), int)[4, 4]
    assert abs(pixel[:3] - COLOURS[colour]).max() <= 3
    assert pixel[3] == 255


def test_recolouring_keeps_light_shade_and_eyes() -> None:
    picture = Image.new("RGBA", (30, 30), (200, 200, 200, 255))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 20, 29, 29), fill=(120, 120, 120, 255))
    draw.rectangle((5, 5, 6, 6), fill=(5, 5, 5, 255))
    pixels = np.asarray(recolour(picture, "blue"), int)
    assert pixels[25, 15, :3].sum() < pixels[12, 15, :3].sum()
    assert pixels[25, 15, 2] > pixels[25, 15, 0]
    assert pixels[5, 5, :3].max() < 20
