"""Layouts and pictures: things are where the scene says, in the colours that it says."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sheepgen.errors import ModelError
from sheepgen.training.data.background_painting import paint_background
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icons import render_icon
from sheepgen.training.data.layout import (
    ALONE,
    CELLS,
    COMPANION,
    SMALL,
    Placement,
    lay_out,
    snap_to_grid,
)
from sheepgen.training.data.rendering import paint_scene, recolour
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.silhouettes import brim_height, find_head, support_height
from sheepgen.training.image_grid import make_grid
from tests.training.data.fakes import SIDE, Blocks, colour_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 64
SINGLE = Scene(kind="single", subject="star", style="noto", layout_seed=4)
RIDING = Scene(kind="riding", subject="cat", other="bus", style="noto", background="white")


class Slabs(Blocks):
    """Draws everything half as high as wide."""

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the upper half of the square."""
        return super().icon(style, name).crop((0, 0, SIDE, SIDE // 2))


class Posts(Blocks):
    """Draws everything half as wide as high."""

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the left half of the square."""
        return super().icon(style, name).crop((0, 0, SIDE // 2, SIDE))


def silhouette(*boxes: tuple[int, int, int, int]) -> Image.Image:
    """Return a 100 by 100 drawing of boxes: left, top, right, bottom."""
    picture = Image.new("RGBA", (100, 100))
    for box in boxes:
        ImageDraw.Draw(picture).rectangle(box, fill=(90, 90, 90, 255))
    return picture


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


@pytest.mark.parametrize(
    "drawings", [Blocks(), Slabs(), Posts()], ids=lambda own: type(own).__name__
)
def test_things_stay_inside_the_picture(drawings: Blocks) -> None:
    for index in range(400):
        scene = sample_scene("1/train", index)
        if scene.kind == "digits":
            continue
        for thing in lay_out(scene, drawings):
            assert thing.x >= 0
            assert thing.x + thing.width <= 1
            assert thing.y >= 0
            assert thing.bottom <= 1


@pytest.mark.parametrize(
    "drawings", [Blocks(), Slabs(), Posts()], ids=lambda own: type(own).__name__
)
def test_things_come_in_three_sizes_on_a_grid(drawings: Blocks) -> None:
    sizes = set()
    for index in range(400):
        for thing in lay_out(sample_scene("1/train", index), drawings):
            side = max(thing.width, thing.height)
            sizes.add(side)
            left = thing.x + (thing.width - side) / 2
            for edge in (left * CELLS, thing.bottom * CELLS):
                assert edge == pytest.approx(round(edge), abs=1e-6)
    assert sizes == {ALONE, COMPANION, SMALL}


@pytest.mark.parametrize(
    ("x", "y", "moved_x", "moved_y"),
    [
        (0.26, 0.24, 0.25, 0.25),
        # A thing's square may stick out of the picture, but not the thing itself.
        (-0.15, 0.5, 0.0, 0.5),
        (0.02, 0.5, 0.03125, 0.5),
        (0.9, 0.5, 0.75, 0.5),
        (0.5, -0.2, 0.5, 0.0),
        (0.5, 0.6, 0.5, 0.5),
    ],
)
def test_what_sticks_out_of_the_picture_is_moved_in_by_whole_cells(
    x: float, y: float, moved_x: float, moved_y: float
) -> None:
    thing = Placement(name="cat", x=x, y=y, width=0.25, height=0.5)
    moved = replace(thing, x=moved_x, y=moved_y)
    assert snap_to_grid(thing) == moved
    # What is on the grid already stays.
    assert snap_to_grid(moved) == moved


@pytest.mark.parametrize("x", [-0.3, 0.95])
def test_a_narrow_thing_is_in_the_middle_of_its_square_wherever_that_is(x: float) -> None:
    thing = snap_to_grid(Placement(name="cat", x=x, y=0.5, width=0.1, height=0.5))
    assert thing.x >= 0
    assert thing.x + thing.width <= 1
    # Not at the edge, as it would be if it were moved by less than a cell.
    left = (thing.x + thing.width / 2 - thing.height / 2) * CELLS
    assert left == pytest.approx(round(left), abs=1e-6)


def test_digits_are_none_of_the_things() -> None:
    assert lay_out(Scene(kind="digits", subject="42"), Blocks()) == []


def test_the_number_of_things_is_the_count() -> None:
    for count in (1, 2, 3, 4):
        scene = Scene(kind="several", subject="cat", count=count, style="noto")
        assert len(lay_out(scene, Blocks())) == count


@pytest.mark.parametrize("seed", range(6))
def test_the_rider_is_above_and_behind(seed: int) -> None:
    rider, ridden = lay_out(replace(RIDING, layout_seed=seed), Slabs())
    assert (rider.name, ridden.name) == ("cat", "bus")
    assert rider.y < ridden.y
    # Its feet are behind what it rides; half a cell is what the grid may move either.
    assert rider.bottom == pytest.approx(ridden.y + 0.12 * COMPANION, abs=0.5 / CELLS)


@pytest.mark.parametrize("seed", range(6))
def test_the_rider_sits_where_the_table_has_the_seat(seed: int) -> None:
    seat = concepts()["bicycle"].seats["noto"]
    assert seat.y is not None
    rider, ridden = lay_out(replace(RIDING, other="bicycle", layout_seed=seed), Slabs())
    middle = rider.x + rider.width / 2
    assert middle == pytest.approx(ridden.x + seat.x * ridden.width, abs=0.5 / CELLS)
    feet = ridden.y + seat.y * ridden.height + 0.12 * COMPANION
    assert rider.bottom == pytest.approx(feet, abs=0.5 / CELLS)


def test_nothing_faces_right() -> None:
    # A rocket is drawn pointing to the right; cats and bicycles are not.
    for name, turned in (("bicycle", False), ("rocket", True)):
        rider, ridden = lay_out(replace(RIDING, other=name), Blocks())
        assert (rider.flip, ridden.flip) == (False, turned)


def test_the_subject_is_to_the_left_of_what_it_is_next_to() -> None:
    scene = Scene(kind="next_to", subject="cat", other="bus", style="noto")
    for seed in range(6):
        things = {
            thing.name: thing for thing in lay_out(replace(scene, layout_seed=seed), Blocks())
        }
        assert things["cat"].x < things["bus"].x


def test_what_is_on_top_touches_what_it_stands_on() -> None:
    scene = Scene(kind="on_top", subject="cat", other="book", style="noto")
    base, subject = lay_out(scene, Slabs())
    assert subject.bottom == pytest.approx(base.y + 0.05 * COMPANION, abs=0.5 / CELLS)
    assert subject.x + subject.width / 2 == pytest.approx(base.x + base.width / 2, abs=0.5 / CELLS)


@pytest.mark.parametrize("seed", range(6))
def test_a_hat_is_on_the_head(seed: int) -> None:
    scene = Scene(kind="wearing", subject="horse", other="crown", style="noto")
    wearer, hat = lay_out(replace(scene, layout_seed=seed), Blocks())
    # A square's head is in the middle of its left 58%, a twentieth below its upper edge.
    assert hat.bottom == pytest.approx(wearer.y + 0.05 * COMPANION, abs=0.5 / CELLS)
    middle = hat.x + hat.width / 2
    assert middle == pytest.approx(wearer.x + 0.29 * COMPANION, abs=0.5 / CELLS)


@pytest.mark.parametrize("seed", range(6))
def test_glasses_are_over_the_eyes(seed: int) -> None:
    scene = Scene(kind="wearing", subject="lion", other="pair of sunglasses", style="noto")
    wearer, glasses = lay_out(replace(scene, layout_seed=seed), Slabs())
    eyes = wearer.y + 0.45 * wearer.height
    assert glasses.y + glasses.height / 2 == pytest.approx(eyes, abs=0.5 / CELLS)
    middle = glasses.x + glasses.width / 2
    assert middle == pytest.approx(wearer.x + wearer.width / 2, abs=0.5 / CELLS)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_held_is_before_the_side_that_its_holder_faces(seed: int) -> None:
    scene = Scene(kind="holding", subject="horse", other="apple", style="noto", layout_seed=seed)
    holder, held = lay_out(scene, Blocks())
    assert held.bottom == pytest.approx(holder.y + 0.88 * COMPANION, abs=0.5 / CELLS)
    middle = held.x + held.width / 2
    assert middle == pytest.approx(holder.x + 0.08 * COMPANION, abs=0.5 / CELLS)


def test_a_place_in_a_drawing_is_mirrored_with_it() -> None:
    thing = Placement(name="cat", x=0.2, y=0.0, width=0.5, height=0.5)
    assert thing.across(0.1) == pytest.approx(0.25)
    assert replace(thing, flip=True).across(0.1) == pytest.approx(0.65)


def test_digits_are_light_on_dark() -> None:
    scene = Scene(kind="digits", subject="8", background="black")
    assert np.asarray(paint_scene(scene, Blocks(), SIZE)).max() > 240
    scene = replace(scene, background="white")
    assert np.asarray(paint_scene(scene, Blocks(), SIZE)).min() < 60


def test_every_two_places_look_different() -> None:
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


def test_hours_and_weather_change_a_place() -> None:
    plain = np.asarray(paint_scene(replace(SINGLE, place="field"), Blocks(), SIZE), int)
    changed = [replace(SINGLE, place="field", time=time) for time in TIMES]
    changed += [replace(SINGLE, place="field", weather=weather) for weather in WEATHERS]
    for scene in changed:
        assert abs(np.asarray(paint_scene(scene, Blocks(), SIZE), int) - plain).mean() > 1, scene


@pytest.mark.parametrize("colour", list(COLOURS))
@pytest.mark.parametrize("shade", [20, 128, 240])
def test_recoloured_drawings_have_the_colour(colour: str, shade: int) -> None:
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


def test_a_roof_carries_and_a_mast_does_not() -> None:
    mast_on_roof = silhouette((49, 0, 51, 40), (10, 40, 90, 99))
    assert support_height(mast_on_roof, 0.5) == pytest.approx(0.4, abs=0.01)
    assert support_height(mast_on_roof, 0.02, reach=0.01) == 0.5


def test_the_head_is_on_the_side_that_the_animal_faces() -> None:
    horse = silhouette((5, 10, 30, 40), (10, 40, 80, 99), (85, 0, 95, 99))
    left = find_head(horse, "left", only_head=False)
    assert left.x == pytest.approx(0.18, abs=0.03)
    assert left.y == pytest.approx(0.15, abs=0.03)
    mirrored = horse.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    right = find_head(mirrored, "right", only_head=False)
    assert right.x == pytest.approx(1 - left.x, abs=0.02)


def test_ears_are_passed_over() -> None:
    rabbit = silhouette((20, 0, 35, 50), (65, 0, 80, 50), (10, 50, 90, 99))
    head = find_head(rabbit, "front", only_head=True)
    assert head.x == pytest.approx(0.5, abs=0.02)
    assert head.y == pytest.approx(0.55, abs=0.02)


def test_a_tassel_hangs_below_the_brim() -> None:
    cap = silhouette((0, 20, 99, 60), (90, 60, 95, 99))
    assert brim_height(cap) == pytest.approx(0.61, abs=0.01)


def test_icons_are_rendered_trimmed_and_by_alias() -> None:
    icons = {
        "width": 10,
        "height": 10,
        "icons": {
            "bar": {"body": '<rect x="2" y="4" width="6" height="2" fill="#ff0000"/>'},
            "nothing": {"body": ""},
        },
        "aliases": {"stick": {"parent": "bar"}},
    }
    picture = render_icon(icons, "stick", 50)
    assert picture.size == (30, 10)
    assert picture.getpixel((15, 5)) == (255, 0, 0, 255)
    for name in ("nothing", "unknown"):
        with pytest.raises(ModelError):
            render_icon(icons, name, 50)


def test_a_sheet_has_a_cell_for_each_picture() -> None:
    pictures = [Image.new("RGB", (40, 40), (10 * index, 0, 0)) for index in range(5)]
    sheet = make_grid(pictures, ["a caption"] * 5, columns=3)
    assert sheet.size == (3 * 44, 2 * (40 + 36 + 4))
    assert sheet.getpixel((44 + 5, 80 + 5)) == (40, 0, 0)
