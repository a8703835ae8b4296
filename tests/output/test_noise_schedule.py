"""The plot shows the numbers that it is given, and the same ones give the same bytes."""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import Image

from sheepgen.events import FrameDecoded
from sheepgen.output.noise_schedule import draw_noise_schedule, encode_noise_schedule
from tests.samples import sample_image, sample_request

ALPHA, SIGMA = (250, 176, 80, 255), (96, 170, 255, 255)


def heights(card: Image.Image, x: int, colour: tuple[int, ...]) -> list[int]:
    """Return where a colour is in a column of pixels, from above."""
    return [y for y in range(card.height) if card.getpixel((x, y)) == colour]


def frames(*levels: tuple[float | None, float | None]) -> list[FrameDecoded]:
    return [
        FrameDecoded(
            request=sample_request(),
            kind="forward",
            step=step,
            total_steps=len(levels) - 1,
            timestep=float(step),
            image=sample_image(),
            alpha=alpha,
            sigma=sigma,
        )
        for step, (alpha, sigma) in enumerate(levels)
    ]


def test_curves_are_where_their_numbers_are() -> None:
    card = draw_noise_schedule([(1.0, 0.0), (0.5, 0.25), (0.0, 1.0)])
    top, bottom = 64, card.height - 68
    left, middle, right = 76, (76 + card.width - 28) // 2, card.width - 29
    for x, alpha, sigma in ((left, 1.0, 0.0), (middle, 0.5, 0.25), (right, 0.0, 1.0)):
        for share, colour in ((alpha, ALPHA), (sigma, SIGMA)):
            expected = bottom - share * (bottom - top)
            shown = [y for y in heights(card, x, colour) if y > 40]
            assert shown
            assert all(abs(y - expected) <= 5 for y in shown)


def test_one_step_and_a_thousand_have_room() -> None:
    sizes = {draw_noise_schedule([(0.5, 0.5)] * count).size for count in (1, 2, 1001)}
    assert len(sizes) == 1


def test_the_same_levels_give_the_same_bytes_and_carry_the_key() -> None:
    known = frames((1.0, 0.0), (0.6, 0.8))
    once, again = (encode_noise_schedule(known, key="ab" * 32) for _ in range(2))
    assert once is not None
    assert once == again
    assert b"ab" * 32 in once
    with Image.open(io.BytesIO(once)) as card:
        assert card.format == "PNG"


def test_what_is_not_known_of_all_frames_is_not_drawn() -> None:
    assert encode_noise_schedule([]) is None
    assert encode_noise_schedule([*frames((1.0, 0.0)), *frames((None, None))]) is None
    (one,) = frames((1.0, 0.0))
    assert encode_noise_schedule([replace(one, sigma=None)]) is None
