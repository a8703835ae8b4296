"""Builds the vocabulary of a model from the tables of concepts and words."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from sheepgen.embedded.prompt import phrase_key
from sheepgen.embedded.vocabulary import OTHER
from sheepgen.embedded.vocabulary_file import VERSION, from_dict
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.word_tables import (
    associations,
    everyday_words,
    foreign_words,
    real_words,
    synonyms,
    translations,
)
from sheepgen.training.data.words import plural_of
from sheepgen.training.text_encoder.loose_names import loose_names
from sheepgen.training.text_encoder.prompt_phrases import (
    COLOUR_WORDS,
    EQUIVALENTS,
    IGNORED,
    PLACE_DEFAULTS,
    SETTING_PHRASES,
    SETTING_WORDS,
    STYLE_PHRASES,
)
from sheepgen.training.text_encoder.word_cues import words_and_cues

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.data.concepts import Concept

__all__ = ["build_vocabulary"]

LONGEST_ABBREVIATION = 3
"""Letters of foreign names that stand for something else in English: "pez"."""

PEOPLE_WORDS = {
    *("man", "woman", "person", "child", "boy", "girl", "guy", "lady", "baby", "people", "men"),
    *("women", "children", "boys", "girls", "ladies", "persons", "kid", "kids", "babies", "couple"),
}


def build_vocabulary(
    cast: Sequence[str] = (),
    drawings: Iterable[tuple[str, str, str, str]] = (),
    *,
    tables: bool = True,
) -> Vocabulary:
    """Return the vocabulary of some concepts.

    Args:
        cast: The concepts' names; all concepts if empty.
        drawings: (concept, style, colour, icon set) of each row in the table of cells.
        tables: Whether to add the words of `sheepgen.training.data.word_tables`.
    """
    chosen = {name: concept for name, concept in concepts().items() if not cast or name in cast}

    def everyday(how: str) -> dict[str, str]:
        return everyday_words(how) if tables else {}

    symbols = translations() if tables else {}
    forms, plurals = _forms(chosen.values(), symbols, everyday("name"))
    words, cues = words_and_cues()
    structure = {*words, *IGNORED}

    def of_cast(table: Mapping[str, str]) -> dict[str, str]:
        return {
            word: name
            for word, name in table.items()
            if name in chosen and word not in forms and word not in structure
        }

    near = of_cast((synonyms() if tables else {}) | everyday("near"))
    brought_to_mind = (associations() if tables else {}) | everyday("evokes")
    equivalents = {**EQUIVALENTS, **dict.fromkeys(everyday("describes"), OTHER)}
    english = {*forms, *near, *structure}
    foreign = _foreign(chosen, english) if tables else {}
    content: dict[str, Any] = {
        "version": VERSION,
        "concepts": {
            name: {
                "plural": concept.plural,
                "group": concept.group,
                "roles": sorted(concept.roles | ({"ridden"} if concept.seats else set())),
            }
            for name, concept in chosen.items()
        },
        "forms": forms,
        "plurals": sorted(plurals),
        "loose": sorted(
            loose_names(
                forms, {each.name: each.plural for each in chosen.values()}, everyday("near")
            )
        ),
        "near": near,
        "foreign": {word: read for word, (read, _) in foreign.items()},
        "ambiguous": sorted(word for word, (_, is_english) in foreign.items() if is_english),
        "equivalents": {
            phrase: read for phrase, read in equivalents.items() if phrase not in forms
        },
        "evoked": {
            word: name for word, name in of_cast(brought_to_mind).items() if word not in near
        },
        "defaults": {place: name for place, name in PLACE_DEFAULTS.items() if name in chosen},
        "words": words,
        "phrases": sorted(_setting_phrases() - forms.keys()),
        "cues": cues,
        "ignored": sorted({*IGNORED, *everyday("ignored")} - forms.keys()),
        "real": " ".join(sorted(real_words() if tables else ())),
        "drawings": [list(row) for row in drawings if row[0] in chosen],
    }
    return from_dict(content)


def _forms(
    chosen: Iterable[Concept], symbols: Mapping[str, str], everyday: Mapping[str, str]
) -> tuple[dict[str, str], set[str]]:
    """Return what concepts are called and the concepts, and which of the former are plurals.

    What comes first is kept: names, then everyday names, synonyms, plurals, spellings and emoji.
    """
    forms: dict[str, str] = {}
    plurals: set[str] = set()

    def add(phrase: str, name: str, *, plural: bool = False) -> None:
        for key in (phrase_key(phrase), _turned(phrase_key(phrase))):
            if key and key not in forms:
                forms[key] = name
                if plural:
                    plurals.add(key)

    several = [*chosen]
    for concept in several:
        add(concept.name, concept.name)
    known = {concept.name for concept in several}
    for phrase, name in everyday.items():
        if name in known:
            add(phrase, name)
            add(plural_of(phrase), name, plural=True)
    for concept in several:
        for synonym in concept.synonyms:
            # "Sneakers" are several of what is a sneaker.
            add(synonym, concept.name, plural=synonym == concept.plural)
    for concept in several:
        add(concept.plural, concept.name, plural=True)
        for synonym in concept.synonyms:
            add(plural_of(synonym), concept.name, plural=True)
    _drop_colours(forms, names={phrase_key(concept.name) for concept in several})
    for phrase, name in symbols.items():
        if name in known and not any(map(str.isalpha, phrase)):
            add(phrase, name)
    for phrase, name in everyday.items():
        if not name:
            forms.pop(phrase_key(phrase), None)
    real = real_words()
    for phrase, name in [*forms.items()]:
        joined = phrase.replace(" ", "")
        if phrase.count(" ") == 1 and len(joined) >= 7 and joined not in real:
            add(joined, name, plural=phrase in plurals)
    return forms, plurals & forms.keys()


def _foreign(chosen: Collection[str], english: Collection[str]) -> dict[str, tuple[str, bool]]:
    """Return what foreign words are read as, and whether they are English, too.

    Names as short as abbreviations count as English.
    """
    real = real_words()
    names = {
        key: (name, len(key) <= LONGEST_ABBREVIATION or key in real)
        for phrase, name in translations().items()
        if name in chosen and (key := phrase_key(phrase)) not in english
    }
    words = {
        key: (read, is_english or key in english or key in real)
        for phrase, (read, is_english) in foreign_words().items()
        if (key := phrase_key(phrase)) and (read in chosen or read not in concepts())
    }
    table = names | words
    return {key: meant for key, meant in table.items() if not _adds_colour(key, table)}


def _adds_colour(phrase: str, table: Mapping[str, tuple[str, bool]]) -> bool:
    """Return whether a phrase is a colour and another name of the same: "roter Apfel"."""
    words = phrase.split()
    rest = (" ".join(words[:at] + words[at + 1 :]) for at in range(len(words)))
    return any(
        table.get(word, ("",))[0] in COLOUR_WORDS and table.get(other) == table[phrase]
        for word, other in zip(words, rest, strict=True)
    )


def _drop_colours(forms: dict[str, str], names: Collection[str]) -> None:
    """Drop "red car" where "car" is the same concept: the colour is to be asked for."""
    for phrase in [*forms]:
        colour, _, rest = phrase.partition(" ")
        if colour in COLOUR_WORDS and forms.get(rest) == forms[phrase] and phrase not in names:
            del forms[phrase]


def _turned(phrase: str) -> str:
    """Return "dancing woman" for "woman dancing" and the other way round, or ""."""
    first, _, second = phrase.partition(" ")
    pair = {first, second}
    if pair & PEOPLE_WORDS and any(word.endswith("ing") and len(word) > 5 for word in pair):
        return f"{second} {first}" if " " not in second else ""
    return ""


def _setting_phrases() -> set[str]:
    """Return the phrases whose words are not to be read as names of concepts."""
    tables = (*SETTING_PHRASES.values(), *SETTING_WORDS.values())
    several = chain.from_iterable(phrases for table in tables for phrases in table.values())
    styles = chain.from_iterable(STYLE_PHRASES.values())
    return {key for phrase in (*several, *styles) if " " in (key := phrase_key(phrase))}
