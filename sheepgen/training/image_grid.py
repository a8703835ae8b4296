"""Lays painted scenes on one sheet, captions under them, for a person to look at."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["contact_sheet"]

LINE_HEIGHT = 12
CHARACTER_WIDTH = 6
CAPTION_LINES = 3
MARGIN = 4


def contact_sheet(
    pictures: Sequence[Image.Image],
    captions: Sequence[str],
    *,
    columns: int = 6,
    lines: int = CAPTION_LINES,
) -> Image.Image:
    """Lay pictures of one size out in rows, each with its caption under it.

    Args:
        pictures: RGB, all of the first one's size.
        captions: One a picture; what does not fit under it is cut off.
        columns: How many go in a row.
        lines: How many a caption may have.

    Returns:
        RGB.
    """
    width, height = pictures[0].size
    cell_width, cell_height = width + MARGIN, height + LINE_HEIGHT * lines + MARGIN
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell_width, rows * cell_height), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = index % columns * cell_width, index // columns * cell_height
        sheet.paste(picture, (x, y))
        wrapped = textwrap.wrap(caption, max(1, width // CHARACTER_WIDTH))[:lines]
        for number, line in enumerate(wrapped):
            draw.text((x + 2, y + height + number * LINE_HEIGHT), line, fill="black")
    return sheet
