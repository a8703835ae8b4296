"""Layouts: icons are where the scene says, in three sizes, on a grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.layout import (
    ALONE,
    CELLS,
    COMPANION,
    SMALL,
    Placement,
    lay_out,
    snap_to_grid,
)
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.data.scene import Scene
from tests.training.data.fakes import SIDE, Blocks

if TYPE_CHECKING:
    from PIL import Image

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


@pytest.mark.parametrize("icons", [Blocks(), Slabs(), Posts()], ids=lambda own: type(own).__name__)
def test_icons_stay_inside_the_picture(icons: Blocks) -> None:
    for index in range(400):
        scene = sample_scene("1/train", index)
        if scene.kind == "digits":
            continue
        for thing in lay_out(scene, icons):
            assert thing.x >= 0
            assert thing.x + thing.width <= 1
            assert thing.y >= 0
            assert thing.bottom <= 1


@pytest.mark.parametrize("icons", [Blocks(), Slabs(), Posts()], ids=lambda own: type(own).__name__)
def test_icons_have_three_sizes_and_stand_on_a_grid(icons: Blocks) -> None:
    sizes = set()
    for index in range(400):
        for thing in lay_out(sample_scene("1/train", index), icons):
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
        # The square may stick out of the picture, but not the icon.
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
def test_a_narrow_icon_is_in_the_middle_of_its_square_wherever_that_is(x: float) -> None:
    thing = snap_to_grid(Placement(name="cat", x=x, y=0.5, width=0.1, height=0.5))
    assert thing.x >= 0
    assert thing.x + thing.width <= 1
    # Not at the edge, as it would be if it were moved by less than a cell.
    left = (thing.x + thing.width / 2 - thing.height / 2) * CELLS
    assert left == pytest.approx(round(left), abs=1e-6)


def test_digits_have_no_placement() -> None:
    assert lay_out(Scene(kind="digits", subject="42"), Blocks()) == []


def test_there_are_as_many_icons_as_the_count() -> None:
    for count in (1, 2, 3, 4):
        scene = Scene(kind="several", subject="cat", count=count, style="noto")
        assert len(lay_out(scene, Blocks())) == count


@pytest.mark.parametrize("seed", range(6))
def test_the_rider_is_above_and_behind(seed: int) -> None:
    rider, ridden = lay_out(replace(RIDING, layout_seed=seed), Slabs())
    assert (rider.name, ridden.name) == ("cat", "bus")
    assert rider.y < ridden.y
    # Its feet are behind what it rides; the grid moves either by half a cell at most.
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
def test_what_is_held_is_in_front_of_the_side_that_its_holder_faces(seed: int) -> None:
    scene = Scene(kind="holding", subject="horse", other="apple", style="noto", layout_seed=seed)
    holder, held = lay_out(scene, Blocks())
    assert held.bottom == pytest.approx(holder.y + 0.88 * COMPANION, abs=0.5 / CELLS)
    middle = held.x + held.width / 2
    assert middle == pytest.approx(holder.x + 0.08 * COMPANION, abs=0.5 / CELLS)


def test_a_position_in_an_icon_is_mirrored_with_it() -> None:
    thing = Placement(name="cat", x=0.2, y=0.0, width=0.5, height=0.5)
    assert thing.across(0.1) == pytest.approx(0.25)
    assert replace(thing, flip=True).across(0.1) == pytest.approx(0.65)
