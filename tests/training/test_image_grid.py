"""Image grids have a cell for each picture, with or without captions."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sheepgen.training.image_grid import LINE_HEIGHT, MARGIN, make_grid

PICTURES = [Image.new("RGB", (40, 40), (10 * index, 0, 0)) for index in range(5)]


def test_pictures_touch_without_captions() -> None:
    pixels = np.asarray(make_grid(PICTURES, columns=2))
    assert pixels.shape == (3 * 40, 2 * 40, 3)
    for index in range(5):
        top, left = index // 2 * 40, index % 2 * 40
        assert (pixels[top : top + 40, left : left + 40] == (10 * index, 0, 0)).all()
    assert (pixels[80:, 40:] == 255).all()


def test_captions_are_below_their_pictures() -> None:
    grid = make_grid(PICTURES, ["a caption"] * 5, columns=3, caption_lines=3)
    height = 40 + 3 * LINE_HEIGHT + MARGIN
    assert grid.size == (3 * (40 + MARGIN), 2 * height)
    assert grid.getpixel((40 + MARGIN + 5, height + 5)) == (40, 0, 0)
    below = np.asarray(grid)[height + 40 : 2 * height, : 40 + MARGIN]
    assert below.min() < 128


def test_each_picture_needs_a_caption() -> None:
    with pytest.raises(ValueError, match="shorter"):
        make_grid(PICTURES, ["a caption"], columns=3)
