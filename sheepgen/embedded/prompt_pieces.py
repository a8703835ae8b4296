"""The words of a prompt, and the pieces that they are looked up in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sheepgen.embedded.vocabulary import role_class

if TYPE_CHECKING:
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["How", "Piece", "Word", "mention_of"]

How = Literal["name", "near", "evoked"]
"""Whether words are a name, one of something near to it, or evoke it."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a prompt.

    Args:
        text: As it was read: in lower case, without accents, spelling corrected.
        start: Where it starts in the prompt.
        end: Where it ends there.
        place: Which of the prompt's words it is, or is in, if that is split at white space; from 0.
        is_accented: Whether it was typed with letters that English does not have.
        is_possessive: Whether it was typed with "'s".
    """

    text: str
    start: int
    end: int
    place: int
    is_accented: bool = False
    is_possessive: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that are looked up together, the symbols for them, and the concept they name.

    If they say that something is not there, that is ``absent``.
    """

    words: tuple[Word, ...]
    symbols: tuple[str, ...]
    concept: str = ""
    plural: bool = False
    how: How = "name"
    absent: frozenset[str] = frozenset()


def mention_of(
    words: tuple[Word, ...],
    concept: str,
    vocabulary: Vocabulary,
    *,
    plural: bool,
    how: How = "name",
) -> Piece:
    """Return words as the mention of a concept."""
    symbol = role_class(vocabulary.concepts[concept].roles, plural=plural)
    return Piece(words, (symbol,), concept=concept, plural=plural, how=how)
