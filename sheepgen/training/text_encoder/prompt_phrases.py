"""What people call places, colours, relations and the like: the table ``prompt_phrases.tsv``.

Both the vocabulary that the prompt parser reads with and the prompts that it learns from are made
of it. The columns are ``table``, ``meaning`` and ``phrases``, separated by " | ", the plainest
first; rows of one table and meaning belong together. The tables:

    colour              the colour that a word names
    number              number words; each stands at its number up to twelve
    quantity            how many are shown of a plural after the phrase
    place, time, weather, style
                        the answer that a phrase gives
    place noun, place preposition
                        further phrases for a place, made of each preposition with each noun
    noun without article
                        nouns of places that stand without an article, too
    place word, time word, weather word
                        what means it wherever it stands: of a place, its nouns if it has no row
    default             the concept that is shown at a place if the prompt names none
    background          forms of a plain background
    relation            what stands between the first concept and the second
    reversed relation   what stands between the second and the first, if that comes last
    digits              forms of a prompt for digits
    equivalent          what is read in the phrase's place, and known to the parser
    structure           further words that the parser reads as they are
    ignored             polite and empty words: they ask for nothing that could be shown
    unknown             an adjective, a noun or a verb that the vocabulary does not hold
    lead-in, trimming   what made-up prompts begin or end with, now and then
"""

from __future__ import annotations

import csv
from collections import defaultdict
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BACKGROUND_PHRASES",
    "COLOUR_WORDS",
    "DIGIT_PHRASES",
    "EQUIVALENTS",
    "IGNORED",
    "LEAD_INS",
    "NUMBER_WORDS",
    "PLACE_DEFAULTS",
    "QUANTITIES",
    "RELATION_PHRASES",
    "REVERSED_PHRASES",
    "SETTING_PHRASES",
    "SETTING_WORDS",
    "STRUCTURE_WORDS",
    "STYLE_PHRASES",
    "TRIMMINGS",
    "UNKNOWN_WORDS",
]


def _read_rows() -> list[tuple[str, str, tuple[str, ...]]]:
    text = files(__package__).joinpath("prompt_phrases.tsv").read_text("utf-8")
    return [
        (row["table"], row["meaning"], tuple(filter(None, row["phrases"].split(" | "))))
        for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    ]


_ROWS = _read_rows()


def _phrases(table: str) -> Mapping[str, tuple[str, ...]]:
    """Return the phrases of each meaning."""
    phrases: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for name, meaning, several in _ROWS:
        if name == table:
            phrases[meaning] += several
    return dict(phrases)


def _meanings(table: str) -> Mapping[str, str]:
    """Return the meaning of each phrase."""
    return {
        phrase: meaning for name, meaning, several in _ROWS if name == table for phrase in several
    }


def _place_phrases() -> Mapping[str, tuple[str, ...]]:
    """Return each place's prepositions with its nouns, and what else it is called."""
    prepositions, further = _phrases("place preposition"), _phrases("place")
    bare = {*_meanings("noun without article")}
    phrases = {}
    for place, nouns in _phrases("place noun").items():
        made = []
        for noun in nouns:
            for preposition in prepositions[place]:
                made.append(f"{preposition} the {noun}")
                if noun in bare:
                    made.append(f"{preposition} {noun}")
                elif not noun.endswith("s"):
                    made.append(f"{preposition} {'an' if noun[0] in 'aeiou' else 'a'} {noun}")
        phrases[place] = (*made, *further.get(place, ()))
    return phrases


COLOUR_WORDS = _meanings("colour")
NUMBER_WORDS = tuple(_meanings("number"))
QUANTITIES = {phrase: int(count) for phrase, count in _meanings("quantity").items()}
EQUIVALENTS = _meanings("equivalent")
PLACE_DEFAULTS = {place: name for name, place in _meanings("default").items()}
STYLE_PHRASES = _phrases("style")
BACKGROUND_PHRASES = tuple(_meanings("background"))
RELATION_PHRASES = _phrases("relation")
REVERSED_PHRASES = _phrases("reversed relation")
DIGIT_PHRASES = tuple(_meanings("digits"))
STRUCTURE_WORDS = tuple(_meanings("structure"))
IGNORED = tuple(_meanings("ignored"))
UNKNOWN_WORDS = _phrases("unknown")
LEAD_INS = tuple(_meanings("lead-in"))
TRIMMINGS = tuple(_meanings("trimming"))

SETTING_PHRASES = {
    "place": _place_phrases(),
    "time": _phrases("time"),
    "weather": _phrases("weather"),
}
"""Question -> answer -> what people call it."""

SETTING_WORDS = {
    "place": {**_phrases("place noun"), **_phrases("place word")},
    "time": _phrases("time word"),
    "weather": _phrases("weather word"),
}
"""The same of words that mean it wherever they stand."""
