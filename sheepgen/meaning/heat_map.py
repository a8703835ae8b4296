"""Distances of texts as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ImageDraw

from sheepgen.meaning.card import (
    LINE,
    WIDTH,
    draw_heading,
    draw_lines,
    fonts,
    footer_lines,
    short_label,
)
from sheepgen.output.card import DETAIL_COLOUR, MARGIN, TITLE_COLOUR, new_card
from sheepgen.output.palette import colour_of

if TYPE_CHECKING:
    from PIL import Image

    from sheepgen.meaning.measure import Meaning

__all__ = ["draw_distances"]

_LABEL_WIDTH = 260
_LARGEST_CELL, _SMALLEST_CELL = 84, 20
_CELL_WITH_NUMBER = 40
_BRIGHT = 0.55
"""Share of the palette from which a number on it is dark."""

_INK = (16, 17, 22, 255)


def draw_distances(meaning: Meaning) -> Image.Image:
    """Draw the distances of at least two prompts from each other; what is near is light.

    The colours run from the largest distance to 0.

    Returns:
        RGBA.
    """
    prompts = meaning.query.prompts
    count = len(prompts)
    _, text = fonts()
    labels = [
        short_label(f"{row}  {prompt}", _LABEL_WIDTH) for row, prompt in enumerate(prompts, 1)
    ]
    left = MARGIN + LINE + round(max(map(text.getlength, labels)))
    cell = max(_SMALLEST_CELL, min(_LARGEST_CELL, (WIDTH - MARGIN - left) // count))
    top = MARGIN + 3 * LINE
    most = max(1e-6, float((1 - meaning.cosines).max()))
    footer = footer_lines(meaning, f"Light is near; the darkest is a distance of {most:.2f}.")
    card = new_card((WIDTH, top + count * cell + (len(footer) + 2) * LINE))
    draw = ImageDraw.Draw(card)
    draw_heading(draw, "Distances between prompts", meaning)
    for row, label in enumerate(labels):
        middle = top + row * cell + cell // 2
        draw.text((left - LINE // 2, middle), label, TITLE_COLOUR, text, anchor="rm")
        heading = (left + row * cell + cell // 2, top - LINE // 2)
        draw.text(heading, str(row + 1), DETAIL_COLOUR, text, anchor="mm")
        for column in range(count):
            distance = float(1 - meaning.cosines[row, column])
            share = 1 - distance / most
            x, y = left + column * cell, top + row * cell
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), fill=colour_of(share))
            if cell >= _CELL_WITH_NUMBER:
                ink = _INK if share > _BRIGHT else TITLE_COLOUR
                place = (x + cell // 2 - 1, y + cell // 2 - 1)
                draw.text(place, f"{distance:.2f}", ink, text, anchor="mm")
    draw_lines(draw, footer, top + count * cell + LINE)
    return card
