"""Painters of the sky and of places without one: sun, clouds, rain, stars, rooms, the sea bed.

All lengths are fractions of the picture's side, so that a place looks the same at every size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sheepgen.training.data.backgrounds import Rgb
    from sheepgen.training.data.paper import Paper

__all__ = [
    "air_bubbles",
    "boards",
    "clouds",
    "craters",
    "curtains",
    "gray_clouds",
    "high_sun",
    "low_sun",
    "moon",
    "planets",
    "rain",
    "seaweed",
    "snowfall",
    "stars",
]


def stars(paper: Paper) -> None:
    """Scatter stars over the sky."""
    paper.spots(36, 0.0035, 0, paper.horizon * 0.95, (244, 242, 222))


def moon(paper: Paper) -> None:
    """Paint a full moon, high up."""
    x, y = paper.side * paper.rng.uniform(0.1, 0.9), paper.side * paper.rng.uniform(0.1, 0.18)
    paper.disc(x, y, paper.side * 0.055, (246, 240, 208))


def low_sun(paper: Paper) -> None:
    """Paint a sun on the horizon."""
    x = paper.side * paper.rng.uniform(0.12, 0.88)
    paper.disc(x, paper.horizon - paper.side * 0.03, paper.side * 0.1, (255, 236, 160))


def high_sun(paper: Paper) -> None:
    """Paint a sun in an upper corner."""
    x = paper.side * paper.rng.choice((0.12, 0.86))
    paper.disc(x, paper.side * 0.13, paper.side * 0.075, (255, 226, 92))


def _cloud_bank(paper: Paper, number: int, colour: Rgb, bottom: float) -> None:
    for _ in range(number):
        x, y = paper.rng.uniform(0, paper.side), paper.rng.uniform(0.06, bottom) * paper.side
        puff = paper.side * paper.rng.uniform(0.035, 0.06)
        for step, rise in ((-1.5, 0.2), (-0.6, 0.7), (0.5, 0.8), (1.4, 0.2)):
            paper.disc(x + step * puff, y - rise * puff, puff, colour)
        paper.draw.rectangle(
            (x - 1.6 * puff, y - 0.2 * puff, x + 1.5 * puff, y + puff * 0.8), fill=colour
        )


def clouds(paper: Paper) -> None:
    """Paint white clouds; lower ones too where there is no ground."""
    _cloud_bank(paper, 6, (246, 250, 255), 0.8 if paper.horizon > paper.side * 0.9 else 0.34)


def gray_clouds(paper: Paper) -> None:
    """Paint a bank of gray clouds."""
    _cloud_bank(paper, 9, (120, 128, 140), 0.2)


def boards(paper: Paper) -> None:
    """Paint a skirting board and a window."""
    side, high = paper.side, paper.horizon
    paper.draw.rectangle((0, high - side * 0.03, side, high), fill=(250, 244, 232))
    x = side * paper.rng.choice((0.06, 0.66))
    frame = (x, side * 0.08, x + side * 0.28, side * 0.4)
    paper.draw.rectangle(frame, fill=(176, 220, 248), outline=(250, 250, 246), width=side // 60)
    middle = (frame[0] + frame[2]) / 2
    paper.draw.line((middle, frame[1], middle, frame[3]), fill=(250, 250, 246), width=side // 80)


def curtains(paper: Paper) -> None:
    """Paint the folds of a curtain."""
    side, folds = paper.side, 14
    for fold in range(folds):
        x = side * fold / folds
        paper.draw.rectangle((x, 0, x + side / folds / 2.2, paper.horizon), fill=(176, 40, 58))


def planets(paper: Paper) -> None:
    """Paint two planets at the sides."""
    colours: tuple[Rgb, ...] = ((206, 132, 84), (116, 150, 214), (190, 160, 210))
    for colour, x in zip(paper.rng.sample(colours, 2), (0.12, 0.88), strict=True):
        y = paper.side * paper.rng.uniform(0.1, 0.9)
        paper.disc(x * paper.side, y, paper.side * paper.rng.uniform(0.03, 0.07), colour)


def craters(paper: Paper) -> None:
    """Scatter craters over the ground."""
    for _ in range(9):
        x = paper.rng.uniform(0, paper.side)
        y = paper.rng.uniform(paper.horizon + paper.side * 0.03, paper.side)
        wide = paper.side * paper.rng.uniform(0.02, 0.06)
        paper.draw.ellipse(
            (x - wide, y - wide * 0.35, x + wide, y + wide * 0.35), fill=(136, 136, 146)
        )


def seaweed(paper: Paper) -> None:
    """Paint seaweed that grows from the ground."""
    side = paper.side
    for _ in range(7):
        x, height = paper.rng.uniform(0, side), side * paper.rng.uniform(0.12, 0.3)
        points = [
            (
                x + math.sin(step * 1.1) * side * 0.014,
                paper.horizon + side * 0.03 - height * step / 8,
            )
            for step in range(9)
        ]
        paper.draw.line(points, fill=(40, 140, 96), width=round(side * 0.02), joint="curve")


def air_bubbles(paper: Paper) -> None:
    """Scatter bubbles over the water."""
    paper.spots(16, 0.01, 0, paper.side * 0.8, (150, 216, 240))


def rain(paper: Paper) -> None:
    """Paint slanting streaks, on a mask."""
    length = paper.side * 0.045
    for _ in range(90):
        x, y = paper.rng.uniform(0, paper.side), paper.rng.uniform(-length, paper.side)
        end = (x - length * 0.3, y + length)
        paper.draw.line((x, y, *end), fill=170, width=max(1, paper.side // 200))


def snowfall(paper: Paper) -> None:
    """Scatter flakes, on a mask."""
    paper.spots(70, 0.007, 0, paper.side, 255)
