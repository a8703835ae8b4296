"""The noise schedule as a picture: how much of the image, and of noise, there is at each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from sheepgen.metadata.image_file import encode_image
from sheepgen.output.card import DETAIL_COLOUR, MARGIN, TITLE_COLOUR, new_card

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.events import FrameDecoded

__all__ = ["draw_noise_schedule", "encode_noise_schedule"]

_SIZE = (960, 480)
_PLOT = (76, 64, _SIZE[0] - 28, _SIZE[1] - 68)
"""Left, top, right and bottom of the axes, in pixels."""

_ALPHA_COLOUR = (250, 176, 80, 255)
_SIGMA_COLOUR = (96, 170, 255, 255)
_GRID_COLOUR = (62, 66, 78, 255)
_TEXT_SIZE = 16
_MOST_TICKS = 11
_DOTTED = 60
"""Up to so many steps, each has a dot."""

_OVERSAMPLING = 3
"""Pillow's lines have no smooth edges, so they are drawn larger."""


def draw_noise_schedule(levels: Sequence[tuple[float, float]]) -> Image.Image:
    """Draw the shares of clean latents and of noise, alpha and sigma, over the steps.

    Args:
        levels: Both, 0 to 1, of each step; at least one.

    Returns:
        RGBA.
    """
    card = new_card(_SIZE)
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(_TEXT_SIZE)
    left, top, right, bottom = _PLOT
    last = len(levels) - 1

    def place(step: float, share: float) -> tuple[float, float]:
        return left + (right - left) * step / max(1, last), bottom - (bottom - top) * share

    for quarter in range(5):
        height = place(0, quarter / 4)[1]
        draw.line((left, height, right, height), _GRID_COLOUR)
        draw.text((left - 12, height), f"{quarter / 4:g}", DETAIL_COLOUR, font, anchor="rm")
    every = max(1, -(-last // (_MOST_TICKS - 1)))
    for step in range(0, last + 1, every):
        x, _ = place(step, 0)
        draw.line((x, bottom, x, bottom + 6), _GRID_COLOUR)
        draw.text((x, bottom + 18), str(step), DETAIL_COLOUR, font, anchor="mm")
    draw.text(((left + right) // 2, bottom + 44), "step", DETAIL_COLOUR, font, anchor="mm")
    curves = Image.new("RGBA", (_SIZE[0] * _OVERSAMPLING, _SIZE[1] * _OVERSAMPLING))
    drawn = ImageDraw.Draw(curves)
    for share, colour in enumerate((_ALPHA_COLOUR, _SIGMA_COLOUR)):
        points = [place(step, level[share]) for step, level in enumerate(levels)]
        large = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
        drawn.line(large, colour, width=2 * _OVERSAMPLING, joint="curve")
        for x, y in large if len(large) <= _DOTTED else ():
            drawn.circle((x, y), 4 * _OVERSAMPLING, colour)
    card.alpha_composite(curves.resize(_SIZE, Image.Resampling.LANCZOS))
    draw.text((left, MARGIN + 12), "x = alpha * image + sigma * noise", TITLE_COLOUR, font, "lm")
    draw.text((right - 180, MARGIN + 12), "alpha", _ALPHA_COLOUR, font, anchor="lm")
    draw.text((right, MARGIN + 12), "sigma", _SIGMA_COLOUR, font, anchor="rm")
    return card


def encode_noise_schedule(frames: Sequence[FrameDecoded], *, key: str = "") -> bytes | None:
    """Return the schedule of frames as the bytes of a PNG; None if it is not known of all.

    Args:
        frames: In the order of their steps.
        key: Of the image, written into the file as it is, so that it can be found there.
    """
    levels = [
        (frame.alpha, frame.sigma)
        for frame in frames
        if frame.alpha is not None and frame.sigma is not None
    ]
    if not levels or len(levels) < len(frames):
        return None
    texts = {"sheepgen-key": key} if key else {}
    return encode_image(draw_noise_schedule(levels), None, ".png", texts=texts)
