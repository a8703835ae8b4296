"""Painters of what is in the sky: sun, moon and stars, clouds, rain and snow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sheepgen.training.data.background_canvas import Canvas, Rgb

__all__ = [
    "clouds",
    "gray_clouds",
    "high_sun",
    "low_sun",
    "moon",
    "planets",
    "rain",
    "snowfall",
    "stars",
]


def stars(canvas: Canvas) -> None:
    """Scatter stars."""
    canvas.spots(36, 0.0035, 0, canvas.horizon * 0.95, (244, 242, 222))


def moon(canvas: Canvas) -> None:
    """Paint the full moon high in the sky."""
    x, y = canvas.side * canvas.rng.uniform(0.1, 0.9), canvas.side * canvas.rng.uniform(0.1, 0.18)
    canvas.disc(x, y, canvas.side * 0.055, (246, 240, 208))


def low_sun(canvas: Canvas) -> None:
    """Paint a sun on the horizon."""
    x = canvas.side * canvas.rng.uniform(0.12, 0.88)
    canvas.disc(x, canvas.horizon - canvas.side * 0.03, canvas.side * 0.1, (255, 236, 160))


def high_sun(canvas: Canvas) -> None:
    """Paint a sun in an upper corner."""
    x = canvas.side * canvas.rng.choice((0.12, 0.86))
    canvas.disc(x, canvas.side * 0.13, canvas.side * 0.075, (255, 226, 92))


def clouds(canvas: Canvas) -> None:
    """Paint white clouds, also low ones where there is no ground."""
    _cloud_bank(canvas, 6, (246, 250, 255), 0.8 if canvas.horizon > canvas.side * 0.9 else 0.34)


def gray_clouds(canvas: Canvas) -> None:
    """Paint rain clouds along the upper edge."""
    _cloud_bank(canvas, 9, (120, 128, 140), 0.2)


def _cloud_bank(canvas: Canvas, count: int, colour: Rgb, bottom: float) -> None:
    for _ in range(count):
        x, y = canvas.rng.uniform(0, canvas.side), canvas.rng.uniform(0.06, bottom) * canvas.side
        puff = canvas.side * canvas.rng.uniform(0.035, 0.06)
        for step, rise in ((-1.5, 0.2), (-0.6, 0.7), (0.5, 0.8), (1.4, 0.2)):
            canvas.disc(x + step * puff, y - rise * puff, puff, colour)
        canvas.draw.rectangle(
            (x - 1.6 * puff, y - 0.2 * puff, x + 1.5 * puff, y + puff * 0.8), fill=colour
        )


def planets(canvas: Canvas) -> None:
    """Paint two planets, one at either side."""
    colours: tuple[Rgb, ...] = ((206, 132, 84), (116, 150, 214), (190, 160, 210))
    for colour, x in zip(canvas.rng.sample(colours, 2), (0.12, 0.88), strict=True):
        y = canvas.side * canvas.rng.uniform(0.1, 0.9)
        canvas.disc(x * canvas.side, y, canvas.side * canvas.rng.uniform(0.03, 0.07), colour)


def rain(canvas: Canvas) -> None:
    """Paint slanting streaks on a mask."""
    length = canvas.side * 0.045
    for _ in range(90):
        x, y = canvas.rng.uniform(0, canvas.side), canvas.rng.uniform(-length, canvas.side)
        end = (x - length * 0.3, y + length)
        canvas.draw.line((x, y, *end), fill=170, width=max(1, canvas.side // 200))


def snowfall(canvas: Canvas) -> None:
    """Scatter flakes on a mask."""
    canvas.spots(70, 0.007, 0, canvas.side, 255)
