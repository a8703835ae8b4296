from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sheepgen.events import FrameDecoded
from sheepgen.output.filmstrip import MAX_COLUMNS, draw_filmstrip, encode_filmstrip, spread
from tests.samples import sample_request


def frames(count: int, size: tuple[int, int], *, contrast: int = 1) -> list[FrameDecoded]:
    """Return frames whose red tells which they are."""
    return [
        FrameDecoded(
            request=sample_request(),
            kind="clean",
            step=step,
            total_steps=count - 1,
            timestep=float(1000 - step),
            image=Image.new("RGB", size, (contrast * step, 0, 0)),
        )
        for step in range(count)
    ]


def columns(strip: Image.Image, row: int) -> list[tuple[int, ...]]:
    """Return the colours along a row of pixels, each run of the same colour once."""
    line = [strip.getpixel((x, row)) for x in range(strip.width)]
    assert all(isinstance(pixel, tuple) for pixel in line)
    runs = [pixel for place, pixel in enumerate(line) if place == 0 or line[place - 1] != pixel]
    return [pixel for pixel in runs if isinstance(pixel, tuple) and pixel[2] == 0]


@given(st.integers(0, 2000), st.integers(2, 60))
def test_chosen_frames_are_even_and_hold_both_ends(count: int, limit: int) -> None:
    chosen = spread(count, limit)
    assert len(chosen) == min(count, limit)
    if count:
        assert chosen[0] == 0
        assert chosen[-1] == count - 1
    gaps = {right - left for left, right in itertools.pairwise(chosen)}
    assert all(gap > 0 for gap in gaps)
    assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(("count", "shown"), [(5, 5), (51, MAX_COLUMNS - 1), (0, 0)])
def test_noise_is_left_the_image_right_and_steps_between(count: int, shown: int) -> None:
    image = Image.new("RGB", (512, 512), (255, 255, 0))
    strip = draw_filmstrip(frames(count, (512, 512)), image)
    seen = columns(strip, 60)
    expected = [(step, 0, 0, 255) for step in spread(count, MAX_COLUMNS - 1)]
    assert len(expected) == shown
    assert seen == [*expected, (255, 255, 0, 255)]


@pytest.mark.parametrize("size", [(16, 16), (32, 32), (128, 128), (512, 64), (64, 512), (2048, 8)])
@pytest.mark.parametrize("count", [2, 5, 51])
def test_thumbnails_are_readable_whatever_the_size(size: tuple[int, int], count: int) -> None:
    strip = draw_filmstrip(frames(count, size), Image.new("RGB", size))
    assert strip.width <= 1640
    assert 60 < strip.height <= 256 + 100


def test_the_card_stands_alone_on_any_page() -> None:
    strip = draw_filmstrip(frames(3, (64, 64)), Image.new("RGB", (64, 64)))
    corners = [(0, 0), (strip.width - 1, 0), (0, strip.height - 1)]
    assert all(strip.getpixel(corner) == (0, 0, 0, 0) for corner in corners)
    middle = strip.getpixel((strip.width // 2, 5))
    assert isinstance(middle, tuple)
    assert middle[3] == 255


def test_the_same_frames_give_the_same_bytes() -> None:
    image = Image.new("RGB", (64, 64), (9, 9, 9))
    once, again = (encode_filmstrip(frames(4, (64, 64)), image) for _ in range(2))
    assert once == again
