"""Reading a prompt: its words, spelling corrected, and what they name in a model's vocabulary.

Phrases are looked up longest first, so that "fire truck" is one and not "fire" and "truck". What
the prompt parser then sees has no names in it: each is one symbol for how such a concept can take
part in a scene, words that structure a prompt are themselves, and all others are `OTHER`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.embedded.foreign_words import foreign_forms, foreign_phrase, is_foreign
from sheepgen.embedded.negations import leave_out_negated
from sheepgen.embedded.noun_phrases import single_out_things
from sheepgen.embedded.prompt_pieces import Piece, Word, mention_of
from sheepgen.embedded.spelling import nearest
from sheepgen.embedded.vocabulary import NUMBER, OTHER, normalise
from sheepgen.models.families import PROMPT_SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.embedded.prompt_pieces import How
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = [
    "Correction",
    "Mention",
    "PromptWords",
    "phrase_key",
    "read_words",
    "singulars",
]

_TOKEN = re.compile(
    r"[^\W_]+(?:['\u2018\u2019][^\W_]+)*(?:(?<=s)['\u2019](?=\s))?"  # words, with apostrophes
    r"|[,;&+/]"  # what separates
    r"|[\u2190-\u2bff\u3030-\u303d\U0001f000-\U0001faff]"  # emoji and other pictures
)
_SEPARATORS = {",": ",", ";": ",", "/": ",", "&": "and", "+": "and"}
_POSSESSIVE = re.compile(r"'s?$")

_APOSTROPHES = str.maketrans("\u2018\u2019", "''")


@dataclass(frozen=True, slots=True)
class Correction:
    """A mistyped word, and what it was read as."""

    typed: str
    read: str


@dataclass(frozen=True, slots=True)
class Mention:
    """Words that name a concept.

    Args:
        concept: Its name.
        plural: Whether they name several.
        how: Whether they are its name, one of something near to it, or a word that evokes it.
        words: The words.
        symbol: The position of its symbol in `PromptWords.symbols`.
    """

    concept: str
    plural: bool
    how: How
    words: tuple[Word, ...]
    symbol: int


@dataclass(frozen=True, slots=True)
class PromptWords:
    """What the words of a prompt are.

    Args:
        words: All words in order, without those that ask for nothing that can be shown.
        mentions: Of concepts, in order.
        corrections: Of spelling.
        unknown: Words that nothing is known of.
        symbols: What the prompt parser reads, at most `PROMPT_SYMBOLS`.
        places: The words of each symbol.
        unread: Words that did not fit.
        absent: Concepts that are not to be shown.
    """

    words: tuple[Word, ...]
    mentions: tuple[Mention, ...]
    corrections: tuple[Correction, ...]
    unknown: tuple[Word, ...]
    symbols: tuple[str, ...]
    places: tuple[tuple[Word, ...], ...]
    unread: tuple[Word, ...]
    absent: frozenset[str]


def read_words(text: str, vocabulary: Vocabulary) -> PromptWords:
    """Look up the words of a prompt."""
    tokens = list(_tokens(text))
    read, unread = tokens[:PROMPT_SYMBOLS], tokens[PROMPT_SYMBOLS:]
    corrections = []
    for index, word in enumerate(read):
        if corrected := _corrected(word.text, vocabulary):
            typed = text[word.start : word.end]
            corrections.append(Correction(typed=typed, read=corrected))
            read[index] = replace(word, text=corrected)
    named = leave_out_negated(_pieces(read, vocabulary), vocabulary)
    pieces = single_out_things(named, vocabulary)
    if not any(piece.concept for piece in pieces):
        pieces = single_out_things([_evoked(piece, vocabulary) for piece in pieces], vocabulary)
    pieces = [piece for piece in pieces if piece.symbols]
    symbols: list[str] = []
    places: list[tuple[Word, ...]] = []
    mentions = []
    for piece in pieces:
        if piece.concept:
            mention = Mention(
                concept=piece.concept,
                plural=piece.plural,
                how=piece.how,
                words=piece.words,
                symbol=len(symbols),
            )
            mentions.append(mention)
        symbols += piece.symbols
        # A name is one symbol, a number of two digits two; else there is one for each word.
        one_each = len(piece.symbols) == len(piece.words)
        places += (
            [(word,) for word in piece.words] if one_each else [piece.words] * len(piece.symbols)
        )
    return PromptWords(
        words=tuple(word for piece in pieces for word in piece.words),
        mentions=tuple(mention for mention in mentions if mention.symbol < PROMPT_SYMBOLS),
        corrections=tuple(corrections),
        unknown=tuple(
            word for piece in pieces if piece.symbols == (OTHER,) for word in piece.words
        ),
        symbols=tuple(symbols[:PROMPT_SYMBOLS]),
        places=tuple(places[:PROMPT_SYMBOLS]),
        unread=tuple(unread),
        absent=frozenset[str]().union(*(piece.absent for piece in pieces)),
    )


def phrase_key(text: str) -> str:
    """Return a phrase as it is looked up."""
    return " ".join(word.text for word in _tokens(text))


def _tokens(text: str) -> Iterator[Word]:
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    place = 0
    for found in _TOKEN.finditer(text):
        while place < len(ends) - 1 and found.start() >= ends[place]:
            place += 1
        spelled, cut = _POSSESSIVE.subn("", _SEPARATORS.get(found[0]) or normalise(found[0]))
        # Some letters become several words, "½" for one.
        spelled = " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", spelled)) or spelled
        if spelled.strip():
            is_accented = not found[0].translate(_APOSTROPHES).isascii() and spelled.isalpha()
            yield Word(spelled, found.start(), found.end(), place, is_accented, cut > 0)


def _pieces(words: list[Word], vocabulary: Vocabulary) -> list[Piece]:
    pieces = []
    start = 0
    foreign = is_foreign(words, vocabulary)
    while start < len(words):
        piece = (
            (foreign and foreign_phrase(words, start, vocabulary))
            or _longest_phrase(words, start, vocabulary)
            or _single(words[start], vocabulary)
        )
        pieces.append(piece)
        start += len(piece.words)
    return pieces


def _longest_phrase(words: list[Word], start: int, vocabulary: Vocabulary) -> Piece | None:
    """Return the longest phrase of the vocabulary that starts at a word, or None."""
    longest = vocabulary.longest.get(words[start].text, 1)
    for stop in range(min(len(words), start + longest), start, -1):
        found = tuple(words[start:stop])
        phrase = " ".join(word.text for word in found)
        if phrase in vocabulary.forms:
            name, plural = vocabulary.forms[phrase], phrase in vocabulary.plurals
            return mention_of(found, name, vocabulary, plural=plural, how=_how(phrase, vocabulary))
        if phrase in vocabulary.near:
            return mention_of(found, vocabulary.near[phrase], vocabulary, plural=False, how="near")
        if phrase in vocabulary.equivalents:
            return Piece(found, tuple(vocabulary.equivalents[phrase].split()))
        if phrase in vocabulary.phrases:
            return Piece(found, tuple(word.text for word in found))
        if phrase in vocabulary.ignored:
            return Piece(found, ())
        for singular in singulars(phrase):
            if singular in vocabulary.forms:
                name, how = vocabulary.forms[singular], _how(singular, vocabulary)
                return mention_of(found, name, vocabulary, plural=True, how=how)
            if singular in vocabulary.near and phrase not in vocabulary.ids:
                near = vocabulary.near[singular]
                return mention_of(found, near, vocabulary, plural=True, how="near")
    return None


def _how(phrase: str, vocabulary: Vocabulary) -> How:
    return "near" if phrase in vocabulary.loose else "name"


def _single(word: Word, vocabulary: Vocabulary) -> Piece:
    if word.text in vocabulary.ids:
        return Piece((word,), (word.text,))
    if word.text.isdecimal():
        digits = _digits(word.text)
        # A model without digits does not have their symbols.
        return Piece((word,), digits if vocabulary.ids.keys() >= {*digits} else (NUMBER,))
    return Piece((word,), (OTHER,))


def _evoked(piece: Piece, vocabulary: Vocabulary) -> Piece:
    """Return the piece as the mention of a concept, if it is a word that evokes one."""
    if len(piece.words) != 1:
        return piece
    for form in (piece.words[0].text, *singulars(piece.words[0].text)):
        if form in vocabulary.evoked:
            concept = vocabulary.evoked[form]
            return mention_of(piece.words, concept, vocabulary, plural=False, how="evoked")
    return piece


def _digits(text: str) -> tuple[str, ...]:
    """Return the symbols of a number: its one or two digits, the second marked as such."""
    value = str(int(text)) if len(text) <= 4 else text
    if len(value) > 2:
        return (NUMBER,)
    return (value[0], *(f"+{digit}" for digit in value[1:]))


def singulars(phrase: str) -> Iterator[str]:
    """Yield what a phrase may be the regular plural of."""
    if not phrase.endswith("s") or phrase.endswith("ss") or len(phrase) < 4:
        return
    yield phrase[:-1]
    if phrase.endswith("ies"):
        yield f"{phrase[:-3]}y"
    if phrase.endswith("es"):
        yield phrase[:-2]
    if phrase.endswith("ves"):
        yield f"{phrase[:-3]}f"
        yield f"{phrase[:-3]}fe"


def _corrected(word: str, vocabulary: Vocabulary) -> str:
    """Return the known word that an unknown one was meant to be, or ""."""
    forms = (word, *singulars(word), *_stems(word), *foreign_forms(word))
    if any(form in vocabulary.known or form in vocabulary.real for form in forms):
        return ""
    return nearest(word, vocabulary.spellings)


def _stems(word: str) -> Iterator[str]:
    """Yield what a word may be a form of, as English forms words."""
    for ending in ("ed", "er", "est", "ing", "ly", "y", "d", "r"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word.removesuffix(ending)
            yield stem
            yield f"{stem}e"
            if stem[-1] == stem[-2]:
                yield stem[:-1]
