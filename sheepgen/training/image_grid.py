"""Lay pictures out in a grid, with captions below them if there are any."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["make_grid"]

LINE_HEIGHT = 12
CHARACTER_WIDTH = 6
MARGIN = 4


def make_grid(
    pictures: Sequence[Image.Image],
    captions: Sequence[str] = (),
    *,
    columns: int,
    caption_lines: int = 1,
) -> Image.Image:
    """Lay pictures out row by row.

    Args:
        pictures: RGB, all of the same size; at least one.
        captions: One for each picture, or none. What does not fit is cut off.
        columns: Pictures in a row.
        caption_lines: Lines of each caption.

    Returns:
        RGB, white where no picture is; without captions, pictures touch.
    """
    width, height = pictures[0].size
    margin = MARGIN if captions else 0
    cell_width = width + margin
    cell_height = height + margin + (LINE_HEIGHT * caption_lines if captions else 0)
    rows = -(-len(pictures) // columns)
    grid = Image.new("RGB", (columns * cell_width, rows * cell_height), "white")
    draw = ImageDraw.Draw(grid)
    for index, (picture, caption) in enumerate(
        zip(pictures, captions or [""] * len(pictures), strict=True)
    ):
        x, y = index % columns * cell_width, index // columns * cell_height
        grid.paste(picture, (x, y))
        lines = textwrap.wrap(caption, max(1, width // CHARACTER_WIDTH))[:caption_lines]
        for number, line in enumerate(lines):
            draw.text((x + 2, y + height + number * LINE_HEIGHT), line, fill="black")
    return grid
