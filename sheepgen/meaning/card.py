"""What both pictures of texts have: a width, a heading, labels, and lines below."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from PIL import ImageFont

from sheepgen.meaning.report import describe_space
from sheepgen.output.card import DETAIL_COLOUR, MARGIN, TITLE_COLOUR, legible, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import ImageDraw

    from sheepgen.meaning.measure import Meaning

__all__ = ["LINE", "WIDTH", "draw_heading", "draw_lines", "fonts", "footer_lines", "short_label"]

WIDTH = 960
LINE = 20
_TITLE_SIZE, _TEXT_SIZE = 18, 14


def draw_heading(draw: ImageDraw.ImageDraw, text: str, meaning: Meaning) -> None:
    """Write what a picture shows, and of which model, along its top."""
    title, _ = fonts()
    model = f"{text} in {meaning.spec.name}, {meaning.space.encoder}"
    (line,) = wrap(legible(model), WIDTH - 2 * MARGIN, 1, title.getlength)
    draw.text((MARGIN, MARGIN + LINE // 2), line, TITLE_COLOUR, title, anchor="lm")


def footer_lines(meaning: Meaning, first: str) -> list[str]:
    """Return lines on what was measured."""
    _, text = fonts()
    space = describe_space(meaning)
    sentences = [
        first,
        f"Read: {space['layer']}; {space['pooling']}.",
        f"Centring: {space['centring']}.",
        f"Near: {space['near']}.",
    ]
    width = WIDTH - 2 * MARGIN
    return [line for each in sentences for line in wrap(legible(each), width, 3, text.getlength)]


def draw_lines(draw: ImageDraw.ImageDraw, lines: Sequence[str], top: int) -> None:
    """Write lines, the middle of the first at ``top``."""
    _, text = fonts()
    for number, line in enumerate(lines):
        place = (MARGIN, top + number * LINE)
        draw.text(place, line, DETAIL_COLOUR, text, anchor="lm")


def short_label(text: str, width: float) -> str:
    """Return a text as one line that fits a width, in pixels."""
    _, font = fonts()
    (line,) = wrap(legible(text), width, 1, font.getlength)
    return line


@cache
def fonts() -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, ...]:
    """Return the fonts for headings and for all else."""
    return ImageFont.load_default(_TITLE_SIZE), ImageFont.load_default(_TEXT_SIZE)
