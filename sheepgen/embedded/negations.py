"""What a prompt says is not to be there: it is left out, and reported as not used.

no cats, just a dog       "no cats"
a man without a red hat   "without a red hat"
not a cat or a dog, …     "not a cat or a dog"
a cat that is not black   "not black"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.embedded.noun_phrases import describes
from sheepgen.embedded.prompt_pieces import Piece
from sheepgen.embedded.vocabulary import NUMBER, OTHER

if TYPE_CHECKING:
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["leave_out_negated"]

_NO = {"no", "without", "neither", "nor", "except", "excluding", "minus", "zero"}
"""Before what is not to be there."""

_NOT = {"not", "never", "isn't", "isnt", "aren't", "arent", "wasn't", "weren't"}
"""Before what is not so, which may be an adjective or a verb."""

_DO_NOT = {"don't", "dont", "doesn't", "doesnt", "didn't", "won't", "can't", "cannot"}
"""Before a verb, and what is not wanted or done."""

_AFFIRMED = {"only", "just"}
"""After a negation: it is there, and more. "Not only a cat"."""

_STOPS = {",", "and", "or", "with", "that", "who", "which", "is", "are", "was", "has"}
"""Words that no negated phrase goes beyond."""

_PREPOSITIONS = {"over", "under"}
"""Words of phrases for places that do not name one themselves."""


def leave_out_negated(pieces: list[Piece], vocabulary: Vocabulary) -> list[Piece]:
    """Return the pieces with each negation one unknown piece, together with what it negates."""
    found: list[Piece] = []
    at = 0
    while at < len(pieces):
        stop = _end(pieces, at, vocabulary)
        if stop > at:
            words = tuple(word for piece in pieces[at:stop] for word in piece.words)
            absent = frozenset(piece.concept for piece in pieces[at:stop] if piece.concept)
            found.append(Piece(words, (OTHER,), absent=absent))
        else:
            found.append(pieces[at])
        at = max(stop, at + 1)
    return found


def _end(pieces: list[Piece], start: int, vocabulary: Vocabulary) -> int:
    """Return where what a negation negates ends, or where it starts if there is none."""
    said = {*pieces[start].symbols[:1], pieces[start].words[-1].text}
    is_verb = not said.isdisjoint(_DO_NOT) or _does(pieces[:start], said)
    is_no = is_verb or not said.isdisjoint(_NO)
    rest = pieces[start + 1 :]
    is_negation = is_no or not said.isdisjoint(_NOT)
    is_name = bool(pieces[start].concept)  # a woman saying no
    if is_name or not is_negation or (rest and rest[0].words[0].text in _AFFIRMED):
        return start
    verb = 1 if is_verb and rest and rest[0].symbols == (OTHER,) else 0
    end = start + 1 + verb + _noun_phrase(rest[verb:], vocabulary, is_no=is_no)
    while pieces[end:] and _continues(pieces[end:]):
        end += 1 + _noun_phrase(pieces[end + 1 :], vocabulary, is_no=True)
    return end if end > start + 1 else start


def _does(before: list[Piece], said: set[str]) -> bool:
    """Return whether a "not" is that of "do not"."""
    return "not" in said and bool(before) and before[-1].words[-1].text in ("do", "does", "did")


def _noun_phrase(pieces: list[Piece], vocabulary: Vocabulary, *, is_no: bool) -> int:
    """Return how many pieces there are up to the end of the first noun, or before what cannot be.

    "Not" may negate adjectives alone: "a not very big dog" is a dog.
    """
    openings = adjectives = 0
    for at, piece in enumerate(pieces):
        symbol = piece.symbols[0] if piece.symbols else ""
        if piece.concept or _is_setting(piece, vocabulary):
            following = pieces[at + 1 : at + 2]
            if adjectives and not (openings or is_no):
                return at
            if not (following and (following[0].concept or following[0].symbols == ("of",))):
                return at + 1
        elif symbol == OTHER and piece.words[-1].text.endswith("ing"):
            openings += 1
        elif symbol in (OTHER, NUMBER) or describes(symbol, vocabulary):
            adjectives += 1
        elif symbol in _STOPS or (adjectives and symbol not in ("", "of")):
            return at
        elif symbol:
            openings += 1
    return len(pieces)


def _continues(pieces: list[Piece]) -> bool:
    """Return whether the negation is of what follows, too: "or a dog", "and cats"."""
    link, *rest = pieces
    is_bare = bool(rest) and bool(rest[0].concept)
    return link.symbols == ("or",) or (link.symbols == ("and",) and is_bare)


def _is_setting(piece: Piece, vocabulary: Vocabulary) -> bool:
    """Return whether words say where or when something is, or the weather."""
    return any(
        cue.startswith(("place=", "time=", "weather="))
        for symbol in piece.symbols
        if symbol not in _PREPOSITIONS
        for cue in vocabulary.cues.get(symbol, ())
    )
