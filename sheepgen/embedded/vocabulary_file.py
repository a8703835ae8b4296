"""The file of a vocabulary: ``vocabulary.json`` in the folder of a model's text encoder.

It is a JSON object that holds ``version`` and the fields of a `Vocabulary`: a concept is an object
of its plural, its group and its roles, sets are lists, and ``real`` is one string of words that are
separated by spaces.

A model may be somebody else's, so nothing in its file is taken on trust.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from sheepgen.embedded.vocabulary import NamedConcept, Vocabulary, symbols_of
from sheepgen.errors import ModelError
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["VERSION", "from_dict", "read_vocabulary", "to_dict", "write_vocabulary"]

VERSION = 1
MAX_BYTES = 8_000_000
MAX_ENTRIES = 200_000
MAX_LENGTH = 100
"""Characters of the longest phrase."""

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories of control characters and the like, which could hide what is printed."""


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a vocabulary from a file that somebody else may have written.

    Raises:
        ModelError: If it cannot be read or is not a vocabulary.
    """
    try:
        content = json.loads(read_untrusted(path, max_bytes=MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "Download the model again.") from error
    try:
        return from_dict(content)
    except _InvalidError as error:
        raise ModelError(
            f"{path} is not a valid vocabulary: {error}.", "Download the model again."
        ) from error


def write_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    """Write a vocabulary so that `read_vocabulary` reads it."""
    text = json.dumps(to_dict(vocabulary), ensure_ascii=False, indent=0)
    path.write_text(text + "\n", "utf-8")


def to_dict(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what `from_dict` reads."""
    return {
        "version": VERSION,
        "concepts": {
            name: {
                "plural": concept.plural,
                "group": concept.group,
                "roles": sorted(concept.roles),
            }
            for name, concept in vocabulary.concepts.items()
        },
        "forms": dict(vocabulary.forms),
        "plurals": sorted(vocabulary.plurals),
        "loose": sorted(vocabulary.loose),
        "near": dict(vocabulary.near),
        "foreign": dict(vocabulary.foreign),
        "ambiguous": sorted(vocabulary.ambiguous),
        "equivalents": dict(vocabulary.equivalents),
        "evoked": dict(vocabulary.evoked),
        "defaults": dict(vocabulary.defaults),
        "words": list(vocabulary.words),
        "phrases": sorted(vocabulary.phrases),
        "cues": {word: list(answers) for word, answers in vocabulary.cues.items()},
        "ignored": sorted(vocabulary.ignored),
        "real": " ".join(sorted(vocabulary.real)),
        "drawings": [list(row) for row in vocabulary.drawings],
    }


def from_dict(content: object) -> Vocabulary:
    """Read a vocabulary from what its JSON holds.

    Raises:
        ValueError: If a part is missing, too large, of a wrong type, or names an unknown concept.
    """
    table = _mapping(content, "the file")
    if table.get("version") != VERSION:
        raise _InvalidError(f"version is {table.get('version')!r:.40}, not {VERSION}")
    concepts = {
        name: _concept(name, entry)
        for name, entry in _mapping(table.get("concepts"), "concepts").items()
    }
    words = _strings(table.get("words"), "words")
    symbols = symbols_of(words)
    if len({*symbols}) < len(symbols):
        raise _InvalidError("words has a word twice")
    return Vocabulary(
        concepts=concepts,
        forms=_to_concepts(table, "forms", concepts),
        plurals=frozenset(_strings(table.get("plurals"), "plurals")),
        # Earlier versions wrote none.
        loose=frozenset(_strings(table.get("loose", []), "loose")),
        near=_to_concepts(table, "near", concepts),
        foreign=_replacements(table, "foreign", {*symbols}, concepts),
        ambiguous=frozenset(_strings(table.get("ambiguous"), "ambiguous")),
        equivalents=_replacements(table, "equivalents", {*symbols}, ()),
        evoked=_to_concepts(table, "evoked", concepts),
        defaults=_to_concepts(table, "defaults", concepts),
        words=words,
        phrases=frozenset(_strings(table.get("phrases"), "phrases")),
        cues={
            word: _strings(answers, "cues")
            for word, answers in _mapping(table.get("cues"), "cues").items()
        },
        ignored=frozenset(_strings(table.get("ignored"), "ignored")),
        real=_words(table.get("real"), "real"),
        drawings=tuple(_drawing(row, concepts) for row in _list(table.get("drawings"), "drawings")),
    )


class _InvalidError(ValueError):
    """What is wrong with the file."""


def _to_concepts(table: dict[str, Any], part: str, concepts: Collection[str]) -> dict[str, str]:
    """Return phrases and the concepts that they lead to."""
    pairs = _pairs(table, part)
    for phrase, name in pairs.items():
        if name not in concepts:
            raise _InvalidError(f"{part}[{phrase!r}] is {name!r}, which is not a concept")
    return pairs


def _replacements(
    table: dict[str, Any], part: str, symbols: Collection[str], concepts: Collection[str]
) -> dict[str, str]:
    """Return phrases and what is read in their place: a concept, or symbols of the parser."""
    pairs = _pairs(table, part)
    for phrase, read in pairs.items():
        if not (read in concepts or all(word in symbols for word in read.split(" "))):
            raise _InvalidError(f"{part}[{phrase!r}] is {read!r}, which the parser cannot read")
    return pairs


def _pairs(table: dict[str, Any], part: str) -> dict[str, str]:
    return {key: _string(value, part) for key, value in _mapping(table.get(part), part).items()}


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


def _words(value: object, part: str) -> frozenset[str]:
    if not isinstance(value, str):
        raise _InvalidError(f"{part} is not a string")
    return frozenset(value.split())


def _strings(value: object, part: str) -> tuple[str, ...]:
    return tuple(_string(entry, part) for entry in _list(value, part))


def _string(value: object, part: str, *, empty: bool = False) -> str:
    if not isinstance(value, str):
        raise _InvalidError(f"{part} holds {value!r:.40}, which is not a string")
    # New emoji are not printable to `str.isprintable`, which is quick where there are none.
    is_hidden = not value.isprintable() and any(
        unicodedata.category(each) in _HIDDEN for each in value
    )
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


def _drawing(row: object, concepts: Collection[str]) -> tuple[str, str, str, str]:
    cells = [_string(cell, "drawings", empty=True) for cell in _list(row, "drawings")]
    if len(cells) != 4:
        raise _InvalidError(f"drawings has a row of {len(cells)} cells, not 4")
    concept, style, colour, icon_set = cells
    if concept not in concepts:
        raise _InvalidError(f"drawings has {concept!r}, which is not a concept")
    return concept, style, colour, icon_set
