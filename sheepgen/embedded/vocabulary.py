"""What words mean to the embedded model.

Phrases are as `normalise` leaves them, their words separated by single spaces.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sheepgen.embedded.spelling import SHORTEST, closest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "CLASSES",
    "NUMBER",
    "OTHER",
    "PADDING",
    "NamedConcept",
    "Vocabulary",
    "normalise",
    "role_class",
    "symbols_of",
]

PADDING, OTHER, NUMBER = "<padding>", "<other>", "<number>"

_SINGULAR = (
    "animate",
    "animate ridden",
    "ridden",
    "hat",
    "glasses",
    "held",
    "base",
    "held base",
    "sky",
    "plain",
)
CLASSES = tuple(f"<{name}>" for one in _SINGULAR for name in (one, f"{one} plural"))
"""What the prompt parser reads in place of a concept's name: how it can take part in a scene."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedConcept:
    """A concept that can be shown.

    Args:
        name: What descriptions call one of it.
        plural: What they call several.
        group: The kind of thing: animal, food, …
        roles: How it can take part in a scene: "rides", "ridden", "wears", "hat", "held", …
    """

    name: str
    plural: str
    group: str
    roles: frozenset[str]


def symbols_of(words: Iterable[str]) -> tuple[str, ...]:
    """Return all symbols of a prompt parser that reads these words as they are.

    They are in the order of its embedding.
    """
    return (PADDING, OTHER, NUMBER, *CLASSES, *words)


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What a text encoder reads with.

    Args:
        concepts: Name -> concept: all that can be shown.
        forms: Phrase -> concept: names, synonyms and plurals.
        plurals: Those of the phrases in ``forms`` that name several.
        loose: Those that name what the concept only comes near to: "nurse" of a doctor.
        near: Noun -> the nearest concept, where it has no name of its own.
        foreign: Foreign words -> the concept that they name, or what the parser reads in their
            place.
        ambiguous: Those of ``foreign`` that are English, too, and are so unless others are foreign.
        equivalents: Words -> words that mean the same to the parser: "pack of", "flock of".
        evoked: Word -> the concept to show if a prompt names none.
        defaults: Place -> the concept to show there if a prompt names none.
        words: The words that the prompt parser reads as they are, in the order of its embedding.
        phrases: Phrases of these words that are not to be read as concepts: "on the moon".
        cues: Word -> the answers that it can lead to: "place=beach", or "background" for any.
        ignored: Words and phrases that ask for nothing that can be shown.
        real: English words that must not be corrected to known ones.
        drawings: (concept, style, colour, icon set) of each row in the table of cells; the colour
            is the word that selects it, and empty for the usual drawings.

    Attributes:
        ids: The number of each of `symbols_of` the words.
        longest: The words of the longest phrase that starts with a word.
        spellings: The words that a mistyped word may be corrected to.
        known: All words that need no correction, but for those in ``real``.
    """

    concepts: Mapping[str, NamedConcept]
    forms: Mapping[str, str]
    plurals: frozenset[str]
    loose: frozenset[str]
    near: Mapping[str, str]
    foreign: Mapping[str, str]
    ambiguous: frozenset[str]
    equivalents: Mapping[str, str]
    evoked: Mapping[str, str]
    defaults: Mapping[str, str]
    words: tuple[str, ...]
    phrases: frozenset[str]
    cues: Mapping[str, tuple[str, ...]]
    ignored: frozenset[str]
    real: frozenset[str]
    drawings: tuple[tuple[str, str, str, str], ...]
    ids: Mapping[str, int] = field(init=False, repr=False)
    longest: Mapping[str, int] = field(init=False, repr=False)
    spellings: frozenset[str] = field(init=False, repr=False)
    known: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the words."""
        spelled = {*_words_in(self.forms, self.phrases, self.words)}
        further = _words_in(self.ignored, self.near, self.evoked, self.foreign, self.equivalents)
        named = (self.forms, self.near)
        phrases = (*named, self.phrases, self.ignored, self.foreign, self.equivalents)
        indexes = {
            "ids": {symbol: index for index, symbol in enumerate(symbols_of(self.words))},
            "longest": _longest(*phrases),
            "spellings": frozenset(word for word in spelled if len(word) >= SHORTEST - 1),
            "known": frozenset({*spelled, *further}),
        }
        for name, index in indexes.items():
            object.__setattr__(self, name, index)

    def search(self, word: str) -> tuple[str, ...]:
        """Return the concepts that a word names, is a part of or comes near to, best first."""
        wanted = " ".join(normalise(word).split())
        tables = (self.forms, self.near, self.foreign, self.evoked)
        named = [table[wanted] for table in tables if table.get(wanted) in self.concepts]
        parts = [name for form, name in self.forms.items() if wanted and wanted in form]
        kinds = {wanted, wanted.removesuffix("s")}
        groups = [name for name, concept in self.concepts.items() if concept.group in kinds]
        return tuple(dict.fromkeys((*named, *groups, *parts)))

    def closest(self, word: str) -> str:
        """Return the name of a concept that is spelled nearly like a word, or ""."""
        name = closest(normalise(word), self.forms)
        return self.forms[name] if name else ""


def normalise(text: str) -> str:
    """Return text in lower case, without accents; its length may change."""
    unaccented = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return unaccented.translate(_LETTERS)


_LETTERS = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "\u2018": "'", "\u2019": "'"}
)


def role_class(roles: frozenset[str], *, plural: bool) -> str:
    """Return which of `CLASSES` a concept with these roles is."""
    if "rides" in roles:
        one = "animate ridden" if "ridden" in roles else "animate"
    elif {"held", "base"} <= roles:
        one = "held base"
    else:
        order = ("ridden", "hat", "glasses", "held", "base", "sky")
        one = next((role for role in order if role in roles), "plain")
    return f"<{one} plural>" if plural else f"<{one}>"


def _longest(*several: Iterable[str]) -> dict[str, int]:
    longest: dict[str, int] = {}
    for phrase in (phrase for phrases in several for phrase in phrases):
        first, *others = phrase.split(" ")
        longest[first] = max(longest.get(first, 1), 1 + len(others))
    return longest


def _words_in(*several: Iterable[str]) -> Iterator[str]:
    return (word for phrases in several for phrase in phrases for word in phrase.split())
