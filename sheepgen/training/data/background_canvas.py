"""What backgrounds are painted on.

Lengths are fractions of the picture's side unless a comment says pixels, so that a background is
the same at every size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random

    from PIL import ImageDraw

__all__ = ["Canvas", "Painter", "Rgb"]

Rgb: TypeAlias = tuple[int, int, int]


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
"""Paints one feature of a background: the sun, hills, rain."""
