from __future__ import annotations

import pytest
import torch
from PIL import Image

from sheepgen.explain.agreement import agreement, share_inside
from sheepgen.explain.heat import colour_map, difference_map, difference_picture, overlay


def test_a_map_agrees_with_itself_and_not_with_its_opposite() -> None:
    ramp = torch.arange(100.0).reshape(10, 10)
    same, opposite = agreement(ramp, 3 * ramp + 1), agreement(ramp, -ramp)
    assert same.correlation == pytest.approx(1)
    assert same.overlap == 1
    assert opposite.correlation == pytest.approx(-1)
    assert opposite.overlap == 0


def test_a_map_that_is_the_same_everywhere_agrees_with_none() -> None:
    assert agreement(torch.ones(4, 4), torch.arange(16.0).reshape(4, 4)).correlation is None


def test_mass_inside_a_mask() -> None:
    heat = torch.full((4, 4), 0.25)
    heat[:2] = 1
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0] = True
    assert share_inside(heat, mask) == pytest.approx(0.5)


def test_differences_are_where_images_differ() -> None:
    before = Image.new("RGB", (8, 8), "black")
    after = before.copy()
    after.paste((255, 255, 255), (0, 0, 4, 4))
    assert difference_map(before, after, (2, 2)).tolist() == [[1, 0], [0, 0]]
    picture = difference_picture(before, after)
    assert picture.getpixel((0, 0)) == (252, 250, 164)
    assert picture.getpixel((7, 7)) == (10, 7, 34)
    same = difference_picture(before, before)
    assert same.getcolors() == [(64, (10, 7, 34))]


def test_maps_are_lightest_where_there_is_most() -> None:
    heat = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    picture = colour_map(heat, (64, 64)).convert("L")
    assert picture.size == (64, 64)
    corners = [picture.crop((x, y, x + 1, y + 1)).getextrema() for y in (0, 63) for x in (0, 63)]
    assert [low for low, _ in corners] == sorted(low for low, _ in corners)
    over = overlay(Image.new("RGB", (64, 48), "red"), heat)
    assert over.size == (64, 48)
    # Where there is least, the image shows, in grey.
    assert over.getpixel((0, 0)) == (76, 76, 76)
