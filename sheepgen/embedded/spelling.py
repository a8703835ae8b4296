"""Spelling correction: the one known word that a mistyped word is within a letter or two of."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SHORTEST", "allowed_errors", "closest", "edit_distance", "nearest"]

SHORTEST = 4
"""Letters of the shortest word that is corrected; shorter ones are too near to others."""

LONG = 7
"""Letters from which two errors are allowed."""

LONGEST = 30
"""Letters of the longest word that is compared."""


def edit_distance(first: str, second: str, limit: int) -> int:
    """Return the letters to add, remove, replace or swap with their neighbours, or ``limit + 1``.

    The restricted Damerau-Levenshtein distance.
    """
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    before: list[int] = []
    above = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            cost = min(
                above[column] + 1,
                current[column - 1] + 1,
                above[column - 1] + (letter != other),
            )
            swapped = row > 1 and column > 1 and first[row - 2 : row] == other + second[column - 2]
            current.append(min(cost, before[column - 2] + 1) if swapped else cost)
        if min(current) > limit:
            return limit + 1
        before, above = above, current
    return min(above[-1], limit + 1)


def allowed_errors(word: str) -> int:
    """Return how many letters of a word may be wrong: 0 to 2."""
    if not SHORTEST <= len(word) <= LONGEST or not word.isalpha():
        return 0
    return 2 if len(word) >= LONG else 1


@lru_cache(maxsize=4096)
def nearest(word: str, known: frozenset[str]) -> str:
    """Return the one known word that a mistyped word stands for, or "" if none or several may.

    The first letters must be the same unless the first two are swapped.
    """
    best, found = allowed_errors(word), set[str]()
    if best == 0:
        return ""
    for candidate in known:
        if not (candidate[0] == word[0] or candidate[:2] == word[1::-1]):
            continue
        distance = edit_distance(word, candidate, best)
        if distance < best:
            best, found = distance, {candidate}
        elif distance == best:
            found.add(candidate)
    shortest = min(found, key=len, default="")
    # A word and its plural are one.
    return shortest if found <= {shortest, f"{shortest}s"} else ""


def closest(word: str, known: Iterable[str]) -> str:
    """Return a known word to suggest for one that nothing is known of, or "".

    It is as near as in a correction, but of several the first in the alphabet is returned.
    """
    limit = allowed_errors(word)
    distances = {
        name: distance
        for name in known
        if name[0] == word[0] and (distance := edit_distance(word, name, limit)) <= limit
    }
    return min(sorted(distances), key=distances.__getitem__, default="") if limit else ""
