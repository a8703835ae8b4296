from __future__ import annotations

import io

import pytest
from PIL import Image, ImageSequence

from sheepgen.output.animation import MAX_FRAMES, AnimationKind, encode_animation
from tests.output.test_filmstrip import frames

KINDS = pytest.mark.parametrize("kind", ["gif", "webp"])


def reread(data: bytes) -> tuple[list[Image.Image], list[int]]:
    with Image.open(io.BytesIO(data)) as film:
        assert film.info["loop"] == 0
        pictures, durations = [], []
        for frame in ImageSequence.Iterator(film):
            pictures.append(frame.convert("RGB"))
            durations.append(int(frame.info["duration"]))
        return pictures, durations


@KINDS
def test_a_film_runs_through_the_steps_and_rests_on_the_image(kind: AnimationKind) -> None:
    image = Image.new("RGB", (64, 48), (250, 250, 10))
    way = frames(5, (64, 48), contrast=50)
    pictures, durations = reread(encode_animation(way, image, kind))
    assert len(pictures) == 6
    assert pictures[-1].size == (64, 48)
    colour = pictures[-1].getpixel((5, 5))
    assert isinstance(colour, tuple)
    assert all(abs(got - want) < 8 for got, want in zip(colour, (250, 250, 10), strict=True))
    assert durations[-1] > 10 * durations[0] > 0


@KINDS
def test_long_and_large_films_are_thinned_out(kind: AnimationKind) -> None:
    image = Image.new("RGB", (1024, 64), "white")
    pictures, _ = reread(encode_animation(frames(200, (1024, 64)), image, kind))
    assert len(pictures) <= MAX_FRAMES
    assert pictures[0].size == (512, 32)


@KINDS
def test_the_same_frames_give_the_same_bytes(kind: AnimationKind) -> None:
    image = Image.new("RGB", (64, 48), "white")
    once, again = (encode_animation(frames(4, (64, 48)), image, kind) for _ in range(2))
    assert once == again
