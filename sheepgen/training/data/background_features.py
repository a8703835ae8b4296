"""Painters of a background's features: sun and stars, hills and trees, buildings and weather.

Lengths are fractions of the picture's side unless a comment says pixels, so that a background is
the same at every size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random

    from PIL import ImageDraw

    from sheepgen.training.data.backgrounds import Rgb

__all__ = ["FEATURES", "FRONT_FEATURES", "Canvas"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """A background while it is painted.

    Args:
        draw: Draws on the picture.
        rng: The source of randomness.
        side: The picture's side in pixels.
        horizon: The row of the horizon.
        shade: What the light multiplies the ground's red, green and blue by.
    """

    draw: ImageDraw.ImageDraw
    rng: random.Random
    side: int
    horizon: int
    shade: tuple[float, float, float]

    def shaded(self, colour: Rgb) -> Rgb:
        """Return a colour of the ground in this light."""
        red, green, blue = (
            min(255, round(part * by)) for part, by in zip(colour, self.shade, strict=True)
        )
        return red, green, blue

    def disc(self, x: float, y: float, radius: float, colour: Rgb | int) -> None:
        """Paint a disc; all lengths in pixels."""
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def spots(
        self, count: int, radius: float, top: float, bottom: float, colour: Rgb | int
    ) -> None:
        """Scatter discs between two rows; the radius is a fraction of the side."""
        for _ in range(count):
            x, y = self.rng.uniform(0, self.side), self.rng.uniform(top, bottom)
            self.disc(x, y, radius * self.side * self.rng.uniform(0.6, 1.4), colour)


Painter: TypeAlias = Callable[[Canvas], None]


def _stars(canvas: Canvas) -> None:
    canvas.spots(36, 0.0035, 0, canvas.horizon * 0.95, (244, 242, 222))


def _moon(canvas: Canvas) -> None:
    x, y = canvas.side * canvas.rng.uniform(0.1, 0.9), canvas.side * canvas.rng.uniform(0.1, 0.18)
    canvas.disc(x, y, canvas.side * 0.055, (246, 240, 208))


def _low_sun(canvas: Canvas) -> None:
    """Paint a sun on the horizon."""
    x = canvas.side * canvas.rng.uniform(0.12, 0.88)
    canvas.disc(x, canvas.horizon - canvas.side * 0.03, canvas.side * 0.1, (255, 236, 160))


def _high_sun(canvas: Canvas) -> None:
    """Paint a sun in an upper corner."""
    x = canvas.side * canvas.rng.choice((0.12, 0.86))
    canvas.disc(x, canvas.side * 0.13, canvas.side * 0.075, (255, 226, 92))


def _cloud_bank(canvas: Canvas, count: int, colour: Rgb, bottom: float) -> None:
    for _ in range(count):
        x, y = canvas.rng.uniform(0, canvas.side), canvas.rng.uniform(0.06, bottom) * canvas.side
        puff = canvas.side * canvas.rng.uniform(0.035, 0.06)
        for step, rise in ((-1.5, 0.2), (-0.6, 0.7), (0.5, 0.8), (1.4, 0.2)):
            canvas.disc(x + step * puff, y - rise * puff, puff, colour)
        canvas.draw.rectangle(
            (x - 1.6 * puff, y - 0.2 * puff, x + 1.5 * puff, y + puff * 0.8), fill=colour
        )


def _clouds(canvas: Canvas) -> None:
    """Paint white clouds, also low ones where there is no ground."""
    _cloud_bank(canvas, 6, (246, 250, 255), 0.8 if canvas.horizon > canvas.side * 0.9 else 0.34)


def _gray_clouds(canvas: Canvas) -> None:
    _cloud_bank(canvas, 9, (120, 128, 140), 0.2)


def _boards(canvas: Canvas) -> None:
    """Paint a skirting board and a window."""
    side, high = canvas.side, canvas.horizon
    canvas.draw.rectangle((0, high - side * 0.03, side, high), fill=(250, 244, 232))
    x = side * canvas.rng.choice((0.06, 0.66))
    frame = (x, side * 0.08, x + side * 0.28, side * 0.4)
    canvas.draw.rectangle(frame, fill=(176, 220, 248), outline=(250, 250, 246), width=side // 60)
    middle = (frame[0] + frame[2]) / 2
    canvas.draw.line((middle, frame[1], middle, frame[3]), fill=(250, 250, 246), width=side // 80)


def _curtains(canvas: Canvas) -> None:
    side, folds = canvas.side, 14
    for fold in range(folds):
        x = side * fold / folds
        canvas.draw.rectangle((x, 0, x + side / folds / 2.2, canvas.horizon), fill=(176, 40, 58))


def _planets(canvas: Canvas) -> None:
    colours: tuple[Rgb, ...] = ((206, 132, 84), (116, 150, 214), (190, 160, 210))
    for colour, x in zip(canvas.rng.sample(colours, 2), (0.12, 0.88), strict=True):
        y = canvas.side * canvas.rng.uniform(0.1, 0.9)
        canvas.disc(x * canvas.side, y, canvas.side * canvas.rng.uniform(0.03, 0.07), colour)


def _craters(canvas: Canvas) -> None:
    for _ in range(9):
        x = canvas.rng.uniform(0, canvas.side)
        y = canvas.rng.uniform(canvas.horizon + canvas.side * 0.03, canvas.side)
        wide = canvas.side * canvas.rng.uniform(0.02, 0.06)
        canvas.draw.ellipse(
            (x - wide, y - wide * 0.35, x + wide, y + wide * 0.35), fill=(136, 136, 146)
        )


def _seaweed(canvas: Canvas) -> None:
    side = canvas.side
    for _ in range(7):
        x, height = canvas.rng.uniform(0, side), side * canvas.rng.uniform(0.12, 0.3)
        foot = canvas.horizon + side * 0.03
        points = [
            (x + math.sin(step * 1.1) * side * 0.014, foot - height * step / 8) for step in range(9)
        ]
        canvas.draw.line(points, fill=(40, 140, 96), width=round(side * 0.02), joint="curve")


def _air_bubbles(canvas: Canvas) -> None:
    canvas.spots(16, 0.01, 0, canvas.side * 0.8, (150, 216, 240))


def _rain(canvas: Canvas) -> None:
    """Paint slanting streaks on a mask."""
    length = canvas.side * 0.045
    for _ in range(90):
        x, y = canvas.rng.uniform(0, canvas.side), canvas.rng.uniform(-length, canvas.side)
        end = (x - length * 0.3, y + length)
        canvas.draw.line((x, y, *end), fill=170, width=max(1, canvas.side // 200))


def _snowfall(canvas: Canvas) -> None:
    """Scatter flakes on a mask."""
    canvas.spots(70, 0.007, 0, canvas.side, 255)


def _sea(canvas: Canvas) -> None:
    """Paint the sea and its surf at the horizon."""
    side, top = canvas.side, canvas.horizon - canvas.side // 9
    canvas.draw.rectangle((0, top, side, canvas.horizon), fill=canvas.shaded((58, 150, 210)))
    canvas.draw.rectangle(
        (0, canvas.horizon - side // 90, side, canvas.horizon + side // 90),
        fill=canvas.shaded((232, 246, 250)),
    )


def _lake(canvas: Canvas) -> None:
    """Paint a lake just below the horizon."""
    side = canvas.side
    box = (-side * 0.1, canvas.horizon + side * 0.02, side * 1.1, canvas.horizon + side * 0.16)
    canvas.draw.ellipse(box, fill=canvas.shaded((70, 156, 214)))


def _verge(canvas: Canvas) -> None:
    """Paint grass between horizon and road."""
    canvas.draw.rectangle(
        (0, canvas.horizon, canvas.side, canvas.horizon + canvas.side // 20),
        fill=canvas.shaded((112, 176, 84)),
    )


def _lane(canvas: Canvas) -> None:
    y, dash = round(canvas.side * 0.95), canvas.side // 8
    for x in range(canvas.rng.randrange(-dash, 0), canvas.side, dash * 2):
        canvas.draw.rectangle(
            (x, y - dash // 12, x + dash, y + dash // 12), fill=canvas.shaded((240, 232, 190))
        )


def _ridge(canvas: Canvas, heights: tuple[float, float], width: float, colour: Rgb) -> None:
    """Paint a row of half ellipses along the horizon."""
    x = -canvas.side * canvas.rng.uniform(0, width)
    while x < canvas.side * (1 + width):
        height = canvas.side * canvas.rng.uniform(*heights)
        half = canvas.side * width * canvas.rng.uniform(0.8, 1.2)
        box = (x - half, canvas.horizon - height, x + half, canvas.horizon + height)
        canvas.draw.pieslice(box, 180, 360, fill=colour)
        x += half * 1.1


def _hills(canvas: Canvas) -> None:
    _ridge(canvas, (0.1, 0.18), 0.34, canvas.shaded((112, 180, 96)))
    _ridge(canvas, (0.04, 0.09), 0.28, canvas.shaded((96, 164, 76)))


def _dunes(canvas: Canvas) -> None:
    _ridge(canvas, (0.05, 0.1), 0.4, canvas.shaded((240, 194, 124)))


def _mountains(canvas: Canvas) -> None:
    """Paint mountains with snow on their tops."""
    side, x = canvas.side, -0.1
    while x < 1.05:
        height, half = canvas.rng.uniform(0.24, 0.42), canvas.rng.uniform(0.16, 0.24)
        top = canvas.horizon - height * side
        for share, colour in ((1.0, (126, 136, 160)), (0.32, (244, 248, 252))):
            points = [
                ((x - half * share) * side, top + height * share * side),
                (x * side, top),
                ((x + half * share) * side, top + height * share * side),
            ]
            canvas.draw.polygon(points, fill=canvas.shaded(colour))
        x += half * 1.3


def _fir(canvas: Canvas, x: float, height: float, colour: Rgb) -> None:
    foot, half = canvas.horizon + canvas.side * 0.02, height * 0.3
    trunk = height * 0.06
    canvas.draw.rectangle(
        (x - trunk, foot - height * 0.2, x + trunk, foot), fill=canvas.shaded((110, 78, 52))
    )
    for low, high, wide in ((0.12, 0.6, 1.0), (0.38, 0.82, 0.8), (0.62, 1.0, 0.6)):
        points = [
            (x - half * wide, foot - height * low),
            (x, foot - height * high),
            (x + half * wide, foot - height * low),
        ]
        canvas.draw.polygon(points, fill=colour)


def _fir_row(canvas: Canvas, step: float, heights: tuple[float, float], colour: Rgb) -> None:
    x = canvas.rng.uniform(-0.1, 0.05)
    while x < 1.1:
        height = canvas.side * canvas.rng.uniform(*heights)
        _fir(canvas, x * canvas.side, height, canvas.shaded(colour))
        x += step * canvas.rng.uniform(0.7, 1.3)


def _firs(canvas: Canvas) -> None:
    """Paint two rows of firs, the nearer one darker."""
    _fir_row(canvas, 0.1, (0.4, 0.58), (78, 138, 92))
    _fir_row(canvas, 0.14, (0.26, 0.4), (52, 110, 66))


def _snowy_firs(canvas: Canvas) -> None:
    """Paint a few far firs."""
    _fir_row(canvas, 0.26, (0.16, 0.28), (120, 160, 150))


def _skyscrapers(canvas: Canvas) -> None:
    side, x = canvas.side, -0.03
    while x < 1.0:
        width, height = canvas.rng.uniform(0.09, 0.16), canvas.rng.uniform(0.18, 0.48)
        gray = canvas.rng.randrange(110, 176)
        left, top = x * side, canvas.horizon - height * side
        canvas.draw.rectangle(
            (left, top, left + width * side, canvas.horizon),
            fill=canvas.shaded((gray, gray + 8, gray + 22)),
        )
        window, gap = side * 0.014, side * 0.034
        y = top + gap * 0.6
        while y < canvas.horizon - gap:
            column = left + gap * 0.5
            while column < left + width * side - gap * 0.6:
                # Windows are lit at night, so the time of day does not shade them.
                pane = (column, y, column + window, y + window)
                canvas.draw.rectangle(pane, fill=(250, 234, 170))
                column += gap
            y += gap
        x += width + 0.008


def _fence(canvas: Canvas) -> None:
    side, top = canvas.side, canvas.horizon - canvas.side * 0.1
    wood = canvas.shaded((232, 224, 210))
    for y in (top + side * 0.025, top + side * 0.075):
        canvas.draw.rectangle((0, y, side, y + side * 0.018), fill=wood)
    for post in range(9):
        x = side * (post + 0.3) / 8
        canvas.draw.rectangle((x, top, x + side * 0.026, canvas.horizon + side * 0.02), fill=wood)


def _flowers(canvas: Canvas) -> None:
    """Scatter flowers of five colours over the ground."""
    colours: tuple[Rgb, ...] = (
        (236, 78, 92),
        (250, 214, 80),
        (250, 250, 250),
        (176, 110, 214),
        (250, 150, 190),
    )
    top = canvas.horizon + canvas.side * 0.015
    for colour in colours:
        canvas.spots(9, 0.013, top, canvas.side, canvas.shaded(colour))


FEATURES: dict[str, Painter] = {
    "air_bubbles": _air_bubbles,
    "boards": _boards,
    "clouds": _clouds,
    "craters": _craters,
    "curtains": _curtains,
    "dunes": _dunes,
    "fence": _fence,
    "firs": _firs,
    "flowers": _flowers,
    "gray_clouds": _gray_clouds,
    "high_sun": _high_sun,
    "hills": _hills,
    "lake": _lake,
    "lane": _lane,
    "low_sun": _low_sun,
    "moon": _moon,
    "mountains": _mountains,
    "planets": _planets,
    "sea": _sea,
    "seaweed": _seaweed,
    "skyscrapers": _skyscrapers,
    "snowy_firs": _snowy_firs,
    "stars": _stars,
    "verge": _verge,
}
"""Painters of what is behind the concepts."""

FRONT_FEATURES: dict[str, Painter] = {
    "rain": _rain,
    "snowfall": _snowfall,
}
"""Painters of what is in front of them, on a mask: 255 is opaque."""
