"""What filmstrips and contact sheets are made of: a dark card, thumbnails, and text on it.

The card has round corners and nothing around them, so that it suits a white page and a dark one.

Pillow's own font is the only one that every machine has and renders alike. It has ASCII only:
accents are dropped, and every other character is marked as missing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

from PIL import Image, ImageDraw

from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CARD_COLOUR",
    "DETAIL_COLOUR",
    "ELLIPSIS",
    "GAP",
    "MARGIN",
    "MAX_THUMBNAIL",
    "MIN_THUMBNAIL",
    "MISSING",
    "TITLE_COLOUR",
    "legible",
    "new_card",
    "thumbnail_size",
    "wrap",
]

CARD_COLOUR = (24, 26, 32, 255)
TITLE_COLOUR = (236, 238, 242, 255)
DETAIL_COLOUR = (154, 160, 172, 255)
GAP = 12
MARGIN = 20

MAX_THUMBNAIL = 256
MIN_THUMBNAIL = 128
"""Pictures of at most half this side are enlarged by a whole factor, pixel by pixel."""

ELLIPSIS = "…"
MISSING = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that the font lacks, and is rendered as an empty box."""

_MAX_CHARACTERS = 240
_PUNCTUATION = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2044\u00d7", "''\"\"--/x")


def new_card(size: tuple[int, int]) -> Image.Image:
    """Return an empty card: RGBA, nothing but its round corners transparent."""
    card = Image.new("RGBA", size)
    corners = (0, 0, size[0] - 1, size[1] - 1)
    ImageDraw.Draw(card).rounded_rectangle(corners, MARGIN // 2, fill=CARD_COLOUR)
    return card


def thumbnail_size(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """Return the size in which a picture is shown, its shape kept.

    Args:
        size: Of the picture, in pixels.
        room: Width and height that it may take, each at least half of `MIN_THUMBNAIL`.
    """
    scale = min(room[0] / size[0], room[1] / size[1])
    if max(size) <= MIN_THUMBNAIL // 2:
        scale = math.floor(min(scale, MIN_THUMBNAIL / max(size)))
    else:
        scale = min(scale, 1)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def legible(text: str) -> str:
    """Return ``text`` as one line of ASCII and `MISSING`, cut if it is very long."""
    letters = normalize("NFKD", excerpt(text, _MAX_CHARACTERS)).translate(_PUNCTUATION)
    return "".join(
        letter if letter.isascii() else MISSING for letter in letters if not combining(letter)
    )


def wrap(text: str, width: float, lines: int, measure: Callable[[str], float]) -> list[str]:
    """Break ``text`` between words, or within one that is wider than a line.

    Args:
        text: One line.
        width: Of a line; at least one character and the ellipsis should fit.
        lines: How many there may be, at least 1. The last ends in an ellipsis if text is left.
        measure: Returns the width of some text.
    """
    if measure(text) <= width:
        return [text]
    if lines == 1:
        return [text[: _fitting(text, width - measure(ELLIPSIS), measure)].rstrip() + ELLIPSIS]
    cut = max(1, _fitting(text, width, measure))
    if (space := text.rfind(" ", 1, cut + 1)) > 0:
        cut = space
    return [text[:cut].rstrip(), *wrap(text[cut:].lstrip(), width, lines - 1, measure)]


def _fitting(text: str, width: float, measure: Callable[[str], float]) -> int:
    """Return how many characters from the left are no wider than ``width``."""
    lengths = range(1, len(text) + 1)
    return bisect_right(lengths, width, key=lambda length: measure(text[:length]))
