"""Painters of what is below the sky: hills and trees, water, roads and buildings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sheepgen.training.data.background_canvas import Canvas, Rgb

__all__ = [
    "air_bubbles",
    "boards",
    "craters",
    "curtains",
    "dunes",
    "fence",
    "firs",
    "flowers",
    "hills",
    "lake",
    "lane",
    "mountains",
    "sea",
    "seaweed",
    "skyscrapers",
    "snowy_firs",
    "verge",
]


def hills(canvas: Canvas) -> None:
    """Paint two rows of hills, the nearer one lower."""
    _ridge(canvas, (0.1, 0.18), 0.34, canvas.shaded((112, 180, 96)))
    _ridge(canvas, (0.04, 0.09), 0.28, canvas.shaded((96, 164, 76)))


def dunes(canvas: Canvas) -> None:
    """Paint a row of dunes."""
    _ridge(canvas, (0.05, 0.1), 0.4, canvas.shaded((240, 194, 124)))


def _ridge(canvas: Canvas, heights: tuple[float, float], width: float, colour: Rgb) -> None:
    """Paint a row of half ellipses along the horizon."""
    x = -canvas.side * canvas.rng.uniform(0, width)
    while x < canvas.side * (1 + width):
        height = canvas.side * canvas.rng.uniform(*heights)
        half = canvas.side * width * canvas.rng.uniform(0.8, 1.2)
        box = (x - half, canvas.horizon - height, x + half, canvas.horizon + height)
        canvas.draw.pieslice(box, 180, 360, fill=colour)
        x += half * 1.1


def mountains(canvas: Canvas) -> None:
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


def firs(canvas: Canvas) -> None:
    """Paint two rows of firs, the nearer one darker."""
    _fir_row(canvas, 0.1, (0.4, 0.58), (78, 138, 92))
    _fir_row(canvas, 0.14, (0.26, 0.4), (52, 110, 66))


def snowy_firs(canvas: Canvas) -> None:
    """Paint a few far firs."""
    _fir_row(canvas, 0.26, (0.16, 0.28), (120, 160, 150))


def _fir_row(canvas: Canvas, step: float, heights: tuple[float, float], colour: Rgb) -> None:
    x = canvas.rng.uniform(-0.1, 0.05)
    while x < 1.1:
        height = canvas.side * canvas.rng.uniform(*heights)
        _fir(canvas, x * canvas.side, height, canvas.shaded(colour))
        x += step * canvas.rng.uniform(0.7, 1.3)


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


def flowers(canvas: Canvas) -> None:
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


def craters(canvas: Canvas) -> None:
    """Scatter flat ellipses over the ground."""
    for _ in range(9):
        x = canvas.rng.uniform(0, canvas.side)
        y = canvas.rng.uniform(canvas.horizon + canvas.side * 0.03, canvas.side)
        wide = canvas.side * canvas.rng.uniform(0.02, 0.06)
        canvas.draw.ellipse(
            (x - wide, y - wide * 0.35, x + wide, y + wide * 0.35), fill=(136, 136, 146)
        )


def sea(canvas: Canvas) -> None:
    """Paint the sea and its surf at the horizon."""
    side, top = canvas.side, canvas.horizon - canvas.side // 9
    canvas.draw.rectangle((0, top, side, canvas.horizon), fill=canvas.shaded((58, 150, 210)))
    canvas.draw.rectangle(
        (0, canvas.horizon - side // 90, side, canvas.horizon + side // 90),
        fill=canvas.shaded((232, 246, 250)),
    )


def lake(canvas: Canvas) -> None:
    """Paint a lake just below the horizon."""
    side = canvas.side
    box = (-side * 0.1, canvas.horizon + side * 0.02, side * 1.1, canvas.horizon + side * 0.16)
    canvas.draw.ellipse(box, fill=canvas.shaded((70, 156, 214)))


def seaweed(canvas: Canvas) -> None:
    """Paint waving stalks."""
    side = canvas.side
    for _ in range(7):
        x, height = canvas.rng.uniform(0, side), side * canvas.rng.uniform(0.12, 0.3)
        foot = canvas.horizon + side * 0.03
        points = [
            (x + math.sin(step * 1.1) * side * 0.014, foot - height * step / 8) for step in range(9)
        ]
        canvas.draw.line(points, fill=(40, 140, 96), width=round(side * 0.02), joint="curve")


def air_bubbles(canvas: Canvas) -> None:
    """Scatter bubbles over all but the ground."""
    canvas.spots(16, 0.01, 0, canvas.side * 0.8, (150, 216, 240))


def verge(canvas: Canvas) -> None:
    """Paint grass between horizon and road."""
    canvas.draw.rectangle(
        (0, canvas.horizon, canvas.side, canvas.horizon + canvas.side // 20),
        fill=canvas.shaded((112, 176, 84)),
    )


def lane(canvas: Canvas) -> None:
    """Paint a dashed line along the road."""
    y, dash = round(canvas.side * 0.95), canvas.side // 8
    for x in range(canvas.rng.randrange(-dash, 0), canvas.side, dash * 2):
        canvas.draw.rectangle(
            (x, y - dash // 12, x + dash, y + dash // 12), fill=canvas.shaded((240, 232, 190))
        )


def skyscrapers(canvas: Canvas) -> None:
    """Paint a row of buildings with lit windows."""
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


def fence(canvas: Canvas) -> None:
    """Paint a fence across the picture."""
    side, top = canvas.side, canvas.horizon - canvas.side * 0.1
    wood = canvas.shaded((232, 224, 210))
    for y in (top + side * 0.025, top + side * 0.075):
        canvas.draw.rectangle((0, y, side, y + side * 0.018), fill=wood)
    for post in range(9):
        x = side * (post + 0.3) / 8
        canvas.draw.rectangle((x, top, x + side * 0.026, canvas.horizon + side * 0.02), fill=wood)


def boards(canvas: Canvas) -> None:
    """Paint a skirting board and a window."""
    side, high = canvas.side, canvas.horizon
    canvas.draw.rectangle((0, high - side * 0.03, side, high), fill=(250, 244, 232))
    x = side * canvas.rng.choice((0.06, 0.66))
    frame = (x, side * 0.08, x + side * 0.28, side * 0.4)
    canvas.draw.rectangle(frame, fill=(176, 220, 248), outline=(250, 250, 246), width=side // 60)
    middle = (frame[0] + frame[2]) / 2
    canvas.draw.line((middle, frame[1], middle, frame[3]), fill=(250, 250, 246), width=side // 80)


def curtains(canvas: Canvas) -> None:
    """Paint a theatre's curtains in folds."""
    side, folds = canvas.side, 14
    for fold in range(folds):
        x = side * fold / folds
        canvas.draw.rectangle((x, 0, x + side / folds / 2.2, canvas.horizon), fill=(176, 40, 58))
