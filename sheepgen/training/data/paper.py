"""What backdrops are painted on: a surface that knows its horizon, its light and its dice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from PIL import ImageDraw

    from sheepgen.training.data.backgrounds import Rgb

__all__ = ["Paper"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """What a painter works on.

    Args:
        draw: The picture.
        rng: Where chance comes from.
        side: The picture's side in pixels.
        horizon: The horizon's row.
        shade: What the light multiplies colours on the ground by.
    """

    draw: ImageDraw.ImageDraw
    rng: random.Random
    side: int
    horizon: int
    shade: tuple[float, float, float]

    def lit(self, colour: Rgb) -> Rgb:
        """Return a colour as the hour shows it."""
        red, green, blue = (
            min(255, round(part * by)) for part, by in zip(colour, self.shade, strict=True)
        )
        return red, green, blue

    def disc(self, x: float, y: float, radius: float, colour: Rgb | int) -> None:
        """Paint a disc; all in pixels."""
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def spots(
        self, number: int, radius: float, top: float, bottom: float, colour: Rgb | int
    ) -> None:
        """Scatter discs between two rows; the radius is a fraction of the side."""
        for _ in range(number):
            x, y = self.rng.uniform(0, self.side), self.rng.uniform(top, bottom)
            self.disc(x, y, radius * self.side * self.rng.uniform(0.6, 1.4), colour)
