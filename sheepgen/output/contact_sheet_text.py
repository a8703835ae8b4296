"""Labels as a picture can show them: in the font's own letters, in lines of a given width.

Pillow's own font is the only one that every machine has and draws alike. It has no letters but
ASCII's, so that accents are left out and what is left over is marked.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ELLIPSIS", "MISSING", "legible", "wrap"]

ELLIPSIS = "…"
MISSING = "\N{REPLACEMENT CHARACTER}"
"""Stands for a letter that the font lacks, and is drawn as an empty box."""

_MAX_CHARACTERS = 240
_PUNCTUATION = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2044\u00d7", "''\"\"--/x")


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
