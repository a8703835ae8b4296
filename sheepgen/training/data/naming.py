"""Which words of a sentence name things, and which only say where, when or in which colour."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.places import COLOURS, PLACES, TIMES, WEATHERS

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from sheepgen.training.data.places import Light, Place, Weather

__all__ = ["named_things"]

SURFACES = ("background", "wall")
"""What a colour word is said of besides things."""


def named_things(sentence: str) -> dict[int, str]:
    """Return the concepts that a sentence names.

    Returns:
        The number of the last word of each name, as spaces separate words, to the concept's name.
    """
    words = [word.strip(".,").lower() for word in sentence.split()]
    names = {first: (last, name) for first, last, name in _named(words)}
    return {
        last: name for first, (last, name) in names.items() if not _is_colour(words, first, names)
    }


@cache
def _meanings() -> dict[str, str]:
    """Return the concept of each name; what says where or when is none, nor are its words."""
    stage: list[Place | Light | Weather] = [*PLACES.values(), *TIMES.values(), *WEATHERS.values()]
    return {phrase: "" for setting in stage for phrase in setting.phrases} | {
        word: concept.name
        for concept in concepts().values()
        for word in (concept.plural, *concept.words)
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


def _is_colour(words: Sequence[str], at: int, names: Container[int]) -> bool:
    """Tell "an orange cat", "an orange background" and "against orange" from "an orange"."""
    if words[at] not in COLOURS:
        return False
    before, after = words[max(0, at - 1)], words[min(at + 1, len(words) - 1)]
    return at + 1 in names or after in SURFACES or before == "against"
