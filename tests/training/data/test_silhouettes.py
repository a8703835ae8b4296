"""Measures of silhouettes: where things can stand, and where a hat goes."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from sheepgen.training.data.silhouettes import brim_height, find_head, support_height


def silhouette(*boxes: tuple[int, int, int, int]) -> Image.Image:
    """Return a 100 by 100 drawing of boxes: left, top, right, bottom."""
    picture = Image.new("RGBA", (100, 100))
    for box in boxes:
        ImageDraw.Draw(picture).rectangle(box, fill=(90, 90, 90, 255))
    return picture


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
