"""What is held out from training, to test on: words, pairs of concepts and icons.

Three text files beside this one, with one entry per line:

    held_out_words.txt     word, concept
    held_out_pairs.txt     relation, subject, other
    held_out_drawings.txt  set, concept
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from sheepgen.training.data.words import plural_of, words_of

__all__ = [
    "find_held_out_word",
    "held_out_drawings",
    "held_out_pairs",
    "held_out_words",
    "must_stay_apart",
]


@cache
def held_out_words() -> dict[str, str]:
    """Return the words that are in no training caption, and their concepts."""
    return {word: concept for word, concept in _rows("held_out_words.txt")}  # noqa: C416


@cache
def held_out_pairs() -> frozenset[tuple[str, str, str]]:
    """Return the held-out scenes as (relation, subject, other)."""
    return frozenset((a, b, c) for a, b, c in _rows("held_out_pairs.txt"))


@cache
def held_out_drawings() -> frozenset[tuple[str, str]]:
    """Return the (set, concept) pairs whose icons are in no training scene."""
    return frozenset((a, b) for a, b in _rows("held_out_drawings.txt"))


def must_stay_apart(first: str, second: str) -> bool:
    """Return whether two concepts may not share a training scene, whatever their relation."""
    return frozenset((first, second)) in _separate_pairs()


def find_held_out_word(sentence: str) -> str | None:
    """Return the first held-out word of a sentence, singular or plural, or None.

    Whole words are compared: "cat" is not in "catch".
    """
    words = words_of(sentence)
    for start in range(len(words)):
        for stop in range(start + 1, min(start + _longest_spelling(), len(words)) + 1):
            if tuple(words[start:stop]) in _spellings():
                return " ".join(words[start:stop])
    return None


@cache
def _spellings() -> frozenset[tuple[str, ...]]:
    forms = (form for word in held_out_words() for form in (word, plural_of(word)))
    return frozenset(tuple(words_of(form)) for form in forms)


@cache
def _longest_spelling() -> int:
    return max(len(words) for words in _spellings())


@cache
def _separate_pairs() -> frozenset[frozenset[str]]:
    return frozenset(frozenset((subject, other)) for _, subject, other in held_out_pairs())


def _rows(name: str) -> list[list[str]]:
    lines = files(__package__).joinpath(name).read_text("utf-8").splitlines()
    return [line.split(", ") for line in lines if line]
