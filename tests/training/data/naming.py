"""Which words of a sentence name things, in which colour and style; not where or when they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS, HOUSE_STYLE, STYLES

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from sheepgen.training.data.backgrounds import Place, TimeOfDay, Weather

__all__ = ["NamedThing", "named_style", "named_things"]

SURFACES = ("background", "wall")
"""What a colour word is said of besides things."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedThing:
    """A thing that a sentence names.

    Args:
        at: The number of the last word of its name, as spaces separate words.
        name: The concept's name.
        colour: The colour said of it; empty if none is.
    """

    at: int
    name: str
    colour: str = ""


def named_things(sentence: str) -> list[NamedThing]:
    """Return the things that a sentence names, in its order."""
    words = [word.strip(".,").lower() for word in sentence.split()]
    names = {first: (last, name) for first, last, name in _named(words)}
    return [
        NamedThing(at=last, name=name, colour=_colour_of(words, first))
        for first, (last, name) in names.items()
        if not _is_colour(words, first, names)
    ]


def named_style(sentence: str) -> str:
    """Return the style that a sentence asks for, the house's if none."""
    said = sentence.lower()
    return next(
        (
            style
            for style in STYLES
            if any(words in said for words in DRAWING_SETS[style].style_words)
        ),
        HOUSE_STYLE,
    )


@cache
def _meanings() -> dict[str, str]:
    """Return the concept of each name; what says where or when is none, nor are its words."""
    rows: list[Place | TimeOfDay | Weather] = [
        *PLACES.values(),
        *TIMES.values(),
        *WEATHERS.values(),
    ]
    return {phrase: "" for setting in rows for phrase in setting.phrases} | {
        word: concept.name for concept in concepts().values() for word in concept.forms
    }


def _named(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the first and the last word of each name, the longest that begins there, and whose."""
    start = 0
    while start < len(words):
        for end in range(len(words), start, -1):
            name = _meanings().get(" ".join(words[start:end]))
            if name is not None:
                if name:
                    yield start, end - 1, name
                start = end - 1
                break
        start += 1


def _colour_of(words: Sequence[str], first: int) -> str:
    """Return the colour that is said right before a name."""
    before = words[first - 1] if first else ""
    return before if before in COLOURS else ""


def _is_colour(words: Sequence[str], at: int, names: Container[int]) -> bool:
    """Tell "an orange cat", "an orange background" and "against orange" from "an orange"."""
    if words[at] not in COLOURS:
        return False
    before, after = words[max(0, at - 1)], words[min(at + 1, len(words) - 1)]
    return at + 1 in names or after in SURFACES or before == "against"
