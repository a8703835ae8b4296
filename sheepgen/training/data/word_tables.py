"""Words besides the names in the table of concepts.

Two tables are written by hand:

everyday_words.tsv  word, concept, and whether that is its "name", "near" to it, or what it
                    "evokes": what people type, and the other tables lack or take for something
                    else. A name without a concept is none, though the table of concepts has it;
                    one that is "near" to its concept is loose: what is shown is said;
                    what is "ignored" asks for nothing that can be shown, and what "describes"
                    a place in a phrase ("tall buildings") is none by itself
foreign_words.tsv   foreign word, the concept that it names or the English words that are read in
                    its place, and "English" if it is an English word, too: und, and

`build_word_tables` makes the others:

synonyms.tsv        noun, the concept it is nearest to: beagle, dog
associations.tsv    word, the concept it brings to mind where nothing is named: birthday, gift
translations.tsv    German, Spanish or French name, its concept: Katze, cat
real_words.txt      English words, so that none of them is taken for a mistyped name
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = [
    "associations",
    "everyday_words",
    "foreign_words",
    "real_words",
    "synonyms",
    "translations",
]


@cache
def synonyms() -> dict[str, str]:
    """Return the nearest concept of each noun."""
    return _pairs("synonyms.tsv")


@cache
def associations() -> dict[str, str]:
    """Return the concept that each word brings to mind."""
    return _pairs("associations.tsv")


@cache
def everyday_words(how: str) -> dict[str, str]:
    """Return the concepts of the words of the table that are meant so; see the module."""
    rows = (line.split("\t") for line in _read("everyday_words.tsv").splitlines())
    return {word: concept for word, concept, meant in rows if meant == how}


@cache
def translations() -> dict[str, str]:
    """Return the concept of each foreign name."""
    return _pairs("translations.tsv")


@cache
def foreign_words() -> dict[str, tuple[str, bool]]:
    """Return what foreign words are read as, and whether they are English words, too."""
    rows = (line.split("\t") for line in _read("foreign_words.tsv").splitlines())
    return {word: (read, english == "English") for word, read, english in rows}


@cache
def real_words() -> frozenset[str]:
    """Return English words in lower case."""
    return frozenset(_read("real_words.txt").split())


def _pairs(name: str) -> dict[str, str]:
    rows = (line.split("\t") for line in _read(name).splitlines())
    return {word: concept for word, concept in rows}  # noqa: C416


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
