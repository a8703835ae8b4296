"""Which nouns of a prompt are things of their own, and which only say more about another.

    apple pie           the last of several nouns in a row is meant
    bowl of cherries    what is in it is meant
    face of a lion      whose part it is is meant
    family of four      is one
    pencil sketch of    says how a picture is made
    grandma's old house what is owned is meant
    cat with blue eyes  parts of it are not shown by themselves
    cat that is angry   an angry cat, if that is a name

The others become unknown words, which are then reported as not used.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from sheepgen.embedded.prompt_pieces import Piece, mention_of
from sheepgen.embedded.vocabulary import NUMBER, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.embedded.prompt_pieces import How
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["PART", "describes", "single_out_things"]

PART = "part"
"""Role of what belongs to other things: eyes, wheels, doors."""

_HAVING = {"with", "has", "have", "having"}
_BETWEEN = {"a", "an", "the", "his", "her", "its", "their", "and", ",", OTHER, NUMBER}
"""What may stand between "with" and a part, besides colours and numbers."""

_ARTICLES = {("a",), ("an",), ("the",), ("my",), ("his",), ("her",)}
_RELATIVE = {("that",), ("who",), ("which",)}
_COPULAS = {("is",), ("are",), ("was",)}

_BODY = ("body", "face", "hand")
"""Groups of what is a part of somebody."""


def single_out_things(pieces: list[Piece], vocabulary: Vocabulary) -> list[Piece]:
    """Return the pieces with a concept only in those that name things of their own."""
    things = _without_owners(_with_predicates(pieces, vocabulary), vocabulary)
    things = [*_without_modifiers(things, vocabulary)]
    things = _without_measures(things, vocabulary)
    return _without_parts(things, vocabulary)


def _with_predicates(pieces: list[Piece], vocabulary: Vocabulary) -> list[Piece]:
    """Join "a heart that is broken" to what a broken heart is called."""
    found: list[Piece] = []
    rest = pieces
    while rest:
        noun, *rest = rest
        start = next((at for at, piece in enumerate(rest) if piece.symbols[:1] not in _RELATIVE), 0)
        if noun.concept and rest[start : start + 1] and rest[start].symbols[:1] in _COPULAS:
            stop = start + 1
            while rest[stop : stop + 1] and rest[stop].symbols in _ARTICLES:
                stop += 1
            predicate = rest[stop : stop + 1]
            said = " ".join(word.text for piece in (*predicate, noun) for word in piece.words)
            if predicate and (name := vocabulary.forms.get(said)):
                words = tuple(word for piece in (noun, *rest[: stop + 1]) for word in piece.words)
                how: How = "near" if said in vocabulary.loose else "name"
                noun = mention_of(words, name, vocabulary, plural=noun.plural, how=how)
                rest = rest[stop + 1 :]
        found.append(noun)
    return found


def _without_owners(pieces: list[Piece], vocabulary: Vocabulary) -> list[Piece]:
    found = [*pieces]
    for at, owner in enumerate(pieces):
        following = (piece for piece in pieces[at + 1 :] if not _is_adjective(piece, vocabulary))
        owned = next(following, Piece((), ()))
        if owner.concept and owner.words[-1].is_possessive and _is_noun(owned, vocabulary):
            found[at] = _unknown(owner)
    return found


def _is_noun(piece: Piece, vocabulary: Vocabulary) -> bool:
    """Return whether a piece names a thing or a place."""
    cues = vocabulary.cues.get(" ".join(piece.symbols), ())
    return bool(piece.concept) or any(cue.startswith("place=") for cue in cues)


def _without_parts(pieces: list[Piece], vocabulary: Vocabulary) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        is_part = piece.concept and PART in vocabulary.concepts[piece.concept].roles
        found.append(_unknown(piece) if is_part and _belongs(found, vocabulary) else piece)
    return found


def _belongs(before: list[Piece], vocabulary: Vocabulary) -> bool:
    """Return whether what follows these pieces is what their thing has: "a cat with two …"."""
    for at in range(len(before) - 1, -1, -1):
        symbol = before[at].symbols[0] if before[at].symbols else OTHER
        if symbol in _HAVING:
            return any(piece.concept for piece in before[:at])
        if not (symbol in _BETWEEN or _is_colour(before[at], vocabulary)):
            return False
    return False


def _without_measures(pieces: list[Piece], vocabulary: Vocabulary) -> list[Piece]:
    """Drop the bowl of "a bowl of cherries"; what follows "of the" may be a thing of its own."""
    found = [*pieces]
    for at, (measure, link) in enumerate(pairwise(pieces)):
        is_noun = bool(measure.concept) or measure.symbols == (OTHER,)
        if not is_noun or link.symbols != ("of",) or measure.words[-1].text in vocabulary.ids:
            continue
        rest = pieces[at + 2 :]
        if _is_part(measure, vocabulary) and rest and rest[0].symbols[:1] in _ARTICLES:
            rest = rest[1:]
        content = next((piece for piece in rest if not _is_adjective(piece, vocabulary)), link)
        if content.concept:
            is_name = measure.words[-1].text in content.concept.split()  # a glass of red wine
            found[at] = replace(measure, symbols=()) if is_name else _unknown(measure)
            found[at + 1] = replace(link, symbols=())
        elif measure.concept and len(rest) == 1 and _counts(rest[0], vocabulary):
            found[at + 1 : at + 3] = [replace(link, symbols=()), _unknown(rest[0])]
    return found


def _without_modifiers(pieces: list[Piece], vocabulary: Vocabulary) -> Iterator[Piece]:
    following = [*pieces[1:], Piece((), ())][: len(pieces)]
    for piece, head in zip(pieces, following, strict=True):
        if piece.concept and _is_background(head, vocabulary) and _is_colour(piece, vocabulary):
            yield replace(piece, concept="")
        elif (
            piece.concept and head.symbols == () and head.words[-1:] and head.words[-1].text == "of"
        ):
            yield _unknown(piece)
        elif not (piece.concept and head.concept):
            yield piece
        elif _is_colour(piece, vocabulary):
            yield replace(piece, concept="")
        elif piece.plural:
            yield piece
        else:
            yield _unknown(piece)


def _unknown(piece: Piece) -> Piece:
    return Piece(piece.words, (OTHER,))


def _is_colour(piece: Piece, vocabulary: Vocabulary) -> bool:
    """Return whether a name is that of a colour, too: orange."""
    return len(piece.words) == 1 and describes(piece.words[0].text, vocabulary)


def describes(word: str, vocabulary: Vocabulary) -> bool:
    """Return whether a word can be a colour or a number."""
    cues = vocabulary.cues.get(word, ())
    return any(cue.startswith(("colour=", "count=")) for cue in cues)


def _counts(piece: Piece, vocabulary: Vocabulary) -> bool:
    return any(cue.startswith("count=") for cue in vocabulary.cues.get(piece.words[-1].text, ()))


def _is_part(piece: Piece, vocabulary: Vocabulary) -> bool:
    """Return whether a name is that of a part of somebody or something."""
    concept = vocabulary.concepts.get(piece.concept)
    return concept is not None and (PART in concept.roles or concept.group in _BODY)


def _is_adjective(piece: Piece, vocabulary: Vocabulary) -> bool:
    return not piece.concept and (piece.symbols == (OTHER,) or _is_colour(piece, vocabulary))


def _is_background(piece: Piece, vocabulary: Vocabulary) -> bool:
    """Return whether a word means what is behind a scene: background, wall."""
    return "background" in vocabulary.cues.get(" ".join(piece.symbols), ())
