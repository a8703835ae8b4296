"""Small synthetic icons, so that no test needs npm packages."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from sheepgen.training.data.concepts import concepts

SIDE = 64


def colour_of(name: str) -> tuple[int, int, int]:
    """Return a colour of its own for each concept, none of them a background's."""
    index = list(concepts()).index(name)
    return (3 + index % 250, 7 + index // 250 * 60, 111)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Every concept is a square of its own colour, every digit a bar."""

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the square."""
        assert style
        return Image.new("RGBA", (SIDE, SIDE), (*colour_of(name), 255))

    def drawing(self, icon_set: str, icon: str) -> Image.Image:
        """Return a square of the same colour for all."""
        assert icon_set
        assert icon
        return Image.new("RGBA", (SIDE, SIDE), (200, 100, 50, 255))

    def digit(self, digit: int, sample: int) -> Image.Image:
        """Return the bar, longer for greater digits."""
        assert sample >= 0
        picture = Image.new("L", (28, 28))
        ImageDraw.Draw(picture).rectangle((4, 4, 6 + 2 * digit, 23), fill=255)
        return picture
