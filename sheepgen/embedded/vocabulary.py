"""What words mean to the embedded model: ``vocabulary.json`` in its text encoder's folder.

The file is a JSON object:

    version     `VERSION`
    concepts    name -> {"plural": …, "group": …, "roles": […]}: all that can be shown
    forms       phrase -> concept: names, synonyms and plurals
    plurals     those of the phrases in ``forms`` that name several
    near        noun -> the nearest concept, where it has no name of its own
    foreign     foreign words -> the concept that they name, or what the parser reads in their place
    ambiguous   those of ``foreign`` that are English, too, and are so unless others are foreign
    equivalents words -> words that mean the same to the parser: "pack of", "flock of"
    evoked      word -> the concept to show if a prompt names none
    defaults    place -> the concept to show there if a prompt names none
    words       the words that the prompt parser reads as they are, in the order of its embedding
    phrases     phrases of these words that are not to be read as concepts: "on the moon"
    cues        word -> the answers that it can lead to: "place=beach", or "background" for any
    ignored     words and phrases that ask for nothing that can be shown
    real        English words that must not be corrected to known ones, separated by spaces
    drawings    [concept, style, colour, icon set] of each row in the table of cells; the colour is
                the word that selects it, and empty for the usual drawings

Phrases are as `normalise` leaves them, their words separated by single spaces.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.embedded.spelling import SHORTEST, closest
from sheepgen.errors import ModelError
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "CLASSES",
    "NUMBER",
    "OTHER",
    "PADDING",
    "VERSION",
    "NamedConcept",
    "Vocabulary",
    "normalise",
    "role_class",
]

VERSION = 1
MAX_BYTES = 8_000_000
MAX_ENTRIES = 200_000
MAX_LENGTH = 100
"""Characters of the longest phrase."""

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories of control characters and the like, which could hide what is printed."""

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


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The file's content; see the module's description.

    Args:
        concepts: By name.
        forms: As in the file, as are all fields up to the drawings.
        plurals: …
        near: …
        foreign: …
        ambiguous: …
        equivalents: …
        evoked: …
        defaults: …
        words: …
        phrases: …
        cues: …
        ignored: …
        real: …
        drawings: …
        ids: All symbols that the prompt parser can read, and their ids.
        longest: The words of the longest phrase that starts with a word.
        spellings: The words that a mistyped word may be corrected to.
        known: All words that need no correction, but for those in ``real``.
    """

    concepts: Mapping[str, NamedConcept]
    forms: Mapping[str, str]
    plurals: frozenset[str]
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
    ids: Mapping[str, int]
    longest: Mapping[str, int]
    spellings: frozenset[str]
    known: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Read a vocabulary from a file that somebody else may have written.

        Raises:
            ModelError: If it cannot be read or is not a vocabulary.
        """
        try:
            content = json.loads(read_untrusted(path, max_bytes=MAX_BYTES).decode("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(
                f"{path} cannot be read: {error}", "Download the model again."
            ) from error
        try:
            return cls.from_dict(content)
        except _InvalidError as error:
            raise ModelError(
                f"{path} is not a valid vocabulary: {error}.", "Download the model again."
            ) from error

    @classmethod
    def from_dict(cls, content: object) -> Vocabulary:
        """Read a vocabulary from what its JSON holds.

        Raises:
            ValueError: If a part is missing, too large, of a wrong type, or names an unknown
                concept.
        """
        table = _mapping(content, "the file")
        if table.get("version") != VERSION:
            raise _InvalidError(f"version is {table.get('version')!r:.40}, not {VERSION}")
        concepts = {
            name: _concept(name, entry)
            for name, entry in _mapping(table.get("concepts"), "concepts").items()
        }

        def to_concepts(part: str) -> dict[str, str]:
            pairs = {
                phrase: _string(name, part)
                for phrase, name in _mapping(table.get(part), part).items()
            }
            for phrase, name in pairs.items():
                if name not in concepts:
                    raise _InvalidError(f"{part}[{phrase!r}] is {name!r}, which is not a concept")
            return pairs

        real = table.get("real")
        if not isinstance(real, str):
            raise _InvalidError("real is not a string")
        drawings = tuple(_drawing(row) for row in _list(table.get("drawings"), "drawings"))
        for concept, *_ in drawings:
            if concept not in concepts:
                raise _InvalidError(f"drawings has {concept!r}, which is not a concept")
        words = _strings(table.get("words"), "words")
        if len({*words}) < len(words) or {*words} & {PADDING, OTHER, NUMBER, *CLASSES}:
            raise _InvalidError("words has a word twice")
        forms, near, evoked = to_concepts("forms"), to_concepts("near"), to_concepts("evoked")
        symbols = (PADDING, OTHER, NUMBER, *CLASSES, *words)
        foreign = _replacements(table.get("foreign"), "foreign", {*symbols}, concepts)
        equivalents = _replacements(table.get("equivalents"), "equivalents", {*symbols}, {})
        phrases = _strings(table.get("phrases"), "phrases")
        ignored = _strings(table.get("ignored"), "ignored")
        spellings = {*_words_in(forms, phrases, words)}
        return cls(
            concepts=concepts,
            forms=forms,
            plurals=frozenset(_strings(table.get("plurals"), "plurals")),
            near=near,
            foreign=foreign,
            ambiguous=frozenset(_strings(table.get("ambiguous"), "ambiguous")),
            equivalents=equivalents,
            evoked=evoked,
            defaults=to_concepts("defaults"),
            words=words,
            phrases=frozenset(phrases),
            cues={
                word: _strings(answers, "cues")
                for word, answers in _mapping(table.get("cues"), "cues").items()
            },
            ignored=frozenset(ignored),
            real=frozenset(real.split()),
            drawings=drawings,
            ids={symbol: index for index, symbol in enumerate(symbols)},
            longest=_longest(forms, phrases, ignored, foreign, equivalents),
            spellings=frozenset(word for word in spellings if len(word) >= SHORTEST - 1),
            known=frozenset({*spellings, *_words_in(ignored, near, evoked, foreign, equivalents)}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return {
            "version": VERSION,
            "concepts": {
                name: {
                    "plural": concept.plural,
                    "group": concept.group,
                    "roles": sorted(concept.roles),
                }
                for name, concept in self.concepts.items()
            },
            "forms": dict(self.forms),
            "plurals": sorted(self.plurals),
            "near": dict(self.near),
            "foreign": dict(self.foreign),
            "ambiguous": sorted(self.ambiguous),
            "equivalents": dict(self.equivalents),
            "evoked": dict(self.evoked),
            "defaults": dict(self.defaults),
            "words": list(self.words),
            "phrases": sorted(self.phrases),
            "cues": {word: list(answers) for word, answers in self.cues.items()},
            "ignored": sorted(self.ignored),
            "real": " ".join(sorted(self.real)),
            "drawings": [list(row) for row in self.drawings],
        }

    def search(self, word: str) -> tuple[str, ...]:
        """Return the concepts that a word names, is a part of or comes near to, best first."""
        wanted = " ".join(normalise(word).split())
        tables = (self.forms, self.near, self.foreign, self.evoked)
        named = [table[wanted] for table in tables if table.get(wanted) in self.concepts]
        parts = [name for form, name in self.forms.items() if wanted and wanted in form]
        groups = [name for name, concept in self.concepts.items() if concept.group == wanted]
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


class _InvalidError(ValueError):
    """What is wrong with the file."""


def _longest(*several: Iterable[str]) -> dict[str, int]:
    longest: dict[str, int] = {}
    for phrase in (phrase for phrases in several for phrase in phrases):
        first, *others = phrase.split(" ")
        longest[first] = max(longest.get(first, 1), 1 + len(others))
    return longest


def _words_in(*several: Iterable[str]) -> Iterator[str]:
    return (word for phrases in several for phrase in phrases for word in phrase.split())


def _replacements(
    value: object, part: str, symbols: Collection[str], concepts: Collection[str]
) -> dict[str, str]:
    """Return phrases and what is read in their place: a concept, or symbols of the parser."""
    pairs = {phrase: _string(read, part) for phrase, read in _mapping(value, part).items()}
    for phrase, read in pairs.items():
        if not (read in concepts or all(word in symbols for word in read.split(" "))):
            raise _InvalidError(f"{part}[{phrase!r}] is {read!r}, which the parser cannot read")
    return pairs


def _mapping(value: object, part: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _InvalidError(f"{part} is not an object")
    if len(value) > MAX_ENTRIES:
        raise _InvalidError(f"{part} has {len(value):,} entries, more than {MAX_ENTRIES:,}")
    for key in value:
        _string(key, part)
    return value


def _list(value: object, part: str) -> list[Any]:
    if not isinstance(value, list):
        raise _InvalidError(f"{part} is not a list")
    if len(value) > MAX_ENTRIES:
        raise _InvalidError(f"{part} has {len(value):,} entries, more than {MAX_ENTRIES:,}")
    return value


def _strings(value: object, part: str) -> tuple[str, ...]:
    return tuple(_string(entry, part) for entry in _list(value, part))


def _string(value: object, part: str, *, empty: bool = False) -> str:
    if not isinstance(value, str):
        raise _InvalidError(f"{part} holds {value!r:.40}, which is not a string")
    # New emoji are not printable to str.isprintable().
    is_hidden = any(unicodedata.category(each) in _HIDDEN for each in value)
    if len(value) > MAX_LENGTH or not (value or empty) or is_hidden:
        raise _InvalidError(f"{part} holds {value!r:.40}, which is empty, too long or unprintable")
    return value


def _concept(name: str, entry: object) -> NamedConcept:
    fields = _mapping(entry, f"concepts[{name!r}]")
    return NamedConcept(
        name=name,
        plural=_string(fields.get("plural"), f"concepts[{name!r}].plural"),
        group=_string(fields.get("group"), f"concepts[{name!r}].group"),
        roles=frozenset(_strings(fields.get("roles"), f"concepts[{name!r}].roles")),
    )


def _drawing(row: object) -> tuple[str, str, str, str]:
    cells = [_string(cell, "drawings", empty=True) for cell in _list(row, "drawings")]
    if len(cells) != 4:
        raise _InvalidError(f"drawings has a row of {len(cells)} cells, not 4")
    concept, style, colour, icon_set = cells
    return concept, style, colour, icon_set
