"""Painters of what stands and lies on the ground: hills, trees, buildings, water.

All lengths are fractions of the picture's side, so that a place looks the same at every size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sheepgen.training.data.backgrounds import Rgb
    from sheepgen.training.data.paper import Paper

__all__ = [
    "dunes",
    "fence",
    "firs",
    "flowers",
    "hills",
    "lake",
    "lane",
    "mountains",
    "sea",
    "skyscrapers",
    "snowy_firs",
    "verge",
]


def sea(paper: Paper) -> None:
    """Paint the sea and its surf at the horizon."""
    side, top = paper.side, paper.horizon - paper.side // 9
    paper.draw.rectangle((0, top, side, paper.horizon), fill=paper.lit((58, 150, 210)))
    paper.draw.rectangle(
        (0, paper.horizon - side // 90, side, paper.horizon + side // 90),
        fill=paper.lit((232, 246, 250)),
    )


def lake(paper: Paper) -> None:
    """Paint a lake just below the horizon."""
    side = paper.side
    box = (-side * 0.1, paper.horizon + side * 0.02, side * 1.1, paper.horizon + side * 0.16)
    paper.draw.ellipse(box, fill=paper.lit((70, 156, 214)))


def verge(paper: Paper) -> None:
    """Paint grass between horizon and road."""
    paper.draw.rectangle(
        (0, paper.horizon, paper.side, paper.horizon + paper.side // 20),
        fill=paper.lit((112, 176, 84)),
    )


def lane(paper: Paper) -> None:
    """Paint dashes along a road."""
    y, dash = round(paper.side * 0.95), paper.side // 8
    for x in range(paper.rng.randrange(-dash, 0), paper.side, dash * 2):
        paper.draw.rectangle(
            (x, y - dash // 12, x + dash, y + dash // 12), fill=paper.lit((240, 232, 190))
        )


def _ridge(paper: Paper, heights: tuple[float, float], width: float, colour: Rgb) -> None:
    """Paint a row of humps along the horizon."""
    x = -paper.side * paper.rng.uniform(0, width)
    while x < paper.side * (1 + width):
        height = paper.side * paper.rng.uniform(*heights)
        half = paper.side * width * paper.rng.uniform(0.8, 1.2)
        box = (x - half, paper.horizon - height, x + half, paper.horizon + height)
        paper.draw.pieslice(box, 180, 360, fill=colour)
        x += half * 1.1


def hills(paper: Paper) -> None:
    """Paint two rows of green hills."""
    _ridge(paper, (0.1, 0.18), 0.34, paper.lit((112, 180, 96)))
    _ridge(paper, (0.04, 0.09), 0.28, paper.lit((96, 164, 76)))


def dunes(paper: Paper) -> None:
    """Paint low dunes."""
    _ridge(paper, (0.05, 0.1), 0.4, paper.lit((240, 194, 124)))


def mountains(paper: Paper) -> None:
    """Paint mountains with snow on their tops."""
    side, x = paper.side, -0.1
    while x < 1.05:
        height, half = paper.rng.uniform(0.24, 0.42), paper.rng.uniform(0.16, 0.24)
        top = paper.horizon - height * side
        for share, colour in ((1.0, (126, 136, 160)), (0.32, (244, 248, 252))):
            points = [
                ((x - half * share) * side, top + height * share * side),
                (x * side, top),
                ((x + half * share) * side, top + height * share * side),
            ]
            paper.draw.polygon(points, fill=paper.lit(colour))
        x += half * 1.3


def _fir(paper: Paper, x: float, height: float, colour: Rgb) -> None:
    foot, half = paper.horizon + paper.side * 0.02, height * 0.3
    trunk = height * 0.06
    paper.draw.rectangle(
        (x - trunk, foot - height * 0.2, x + trunk, foot), fill=paper.lit((110, 78, 52))
    )
    for low, high, wide in ((0.12, 0.6, 1.0), (0.38, 0.82, 0.8), (0.62, 1.0, 0.6)):
        points = [
            (x - half * wide, foot - height * low),
            (x, foot - height * high),
            (x + half * wide, foot - height * low),
        ]
        paper.draw.polygon(points, fill=colour)


def _fir_row(paper: Paper, step: float, heights: tuple[float, float], colour: Rgb) -> None:
    x = paper.rng.uniform(-0.1, 0.05)
    while x < 1.1:
        _fir(paper, x * paper.side, paper.side * paper.rng.uniform(*heights), paper.lit(colour))
        x += step * paper.rng.uniform(0.7, 1.3)


def firs(paper: Paper) -> None:
    """Paint two rows of firs, the nearer one darker."""
    _fir_row(paper, 0.1, (0.4, 0.58), (78, 138, 92))
    _fir_row(paper, 0.14, (0.26, 0.4), (52, 110, 66))


def snowy_firs(paper: Paper) -> None:
    """Paint a few far firs."""
    _fir_row(paper, 0.26, (0.16, 0.28), (120, 160, 150))


def skyscrapers(paper: Paper) -> None:
    """Paint tall buildings with lit windows."""
    side, x = paper.side, -0.03
    while x < 1.0:
        width, height = paper.rng.uniform(0.09, 0.16), paper.rng.uniform(0.18, 0.48)
        gray = paper.rng.randrange(110, 176)
        left, top = x * side, paper.horizon - height * side
        paper.draw.rectangle(
            (left, top, left + width * side, paper.horizon),
            fill=paper.lit((gray, gray + 8, gray + 22)),
        )
        window, gap = side * 0.014, side * 0.034
        y = top + gap * 0.6
        while y < paper.horizon - gap:
            column = left + gap * 0.5
            while column < left + width * side - gap * 0.6:
                # Windows are lit at night, so the hour does not shade them.
                paper.draw.rectangle((column, y, column + window, y + window), fill=(250, 234, 170))
                column += gap
            y += gap
        x += width + 0.008


def fence(paper: Paper) -> None:
    """Paint a wooden fence."""
    side, top = paper.side, paper.horizon - paper.side * 0.1
    wood = paper.lit((232, 224, 210))
    for y in (top + side * 0.025, top + side * 0.075):
        paper.draw.rectangle((0, y, side, y + side * 0.018), fill=wood)
    for post in range(9):
        x = side * (post + 0.3) / 8
        paper.draw.rectangle((x, top, x + side * 0.026, paper.horizon + side * 0.02), fill=wood)


def flowers(paper: Paper) -> None:
    """Scatter flowers of five colours over the ground."""
    colours: tuple[Rgb, ...] = (
        (236, 78, 92),
        (250, 214, 80),
        (250, 250, 250),
        (176, 110, 214),
        (250, 150, 190),
    )
    for colour in colours:
        paper.spots(9, 0.013, paper.horizon + paper.side * 0.015, paper.side, paper.lit(colour))
