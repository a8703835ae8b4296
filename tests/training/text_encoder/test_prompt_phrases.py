"""The table of phrases: it has a phrase for every answer, and for nothing else."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import TYPE_CHECKING

from sheepgen.embedded.scene_labels import RELATIONS
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.text_encoder import prompt_phrases
from sheepgen.training.text_encoder.prompt_phrases import (
    COLOUR_WORDS,
    NUMBER_WORDS,
    PLACE_DEFAULTS,
    RELATION_PHRASES,
    REVERSED_PHRASES,
    SETTING_PHRASES,
    SETTING_WORDS,
    STYLE_PHRASES,
    UNKNOWN_WORDS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS: Mapping[str, Mapping[str, object]] = {"place": PLACES, "time": TIMES, "weather": WEATHERS}


def test_every_answer_has_phrases() -> None:
    assert SETTING_PHRASES.keys() == SETTING_WORDS.keys() == SETTINGS.keys()
    for question, answers in SETTINGS.items():
        assert SETTING_PHRASES[question].keys() == SETTING_WORDS[question].keys() == answers.keys()
        assert all(SETTING_PHRASES[question].values())
    assert {*COLOUR_WORDS.values()} == COLOURS.keys()
    assert STYLE_PHRASES.keys() == {*STYLES}
    assert RELATION_PHRASES.keys() == {*RELATIONS}
    assert REVERSED_PHRASES.keys() < {*RELATIONS}
    assert UNKNOWN_WORDS.keys() == {"adjective", "noun", "verb"}
    assert PLACE_DEFAULTS.keys() == PLACES.keys()
    assert {*PLACE_DEFAULTS.values()} <= concepts().keys()
    assert [NUMBER_WORDS.index(word) for word in ("two", "nine", "twelve")] == [2, 9, 12]


def test_places_are_said_with_prepositions_and_articles() -> None:
    phrases = SETTING_PHRASES["place"]
    assert phrases["beach"][:2] == ("on the beach", "on a beach")
    assert {"in outer space", "in the outer space"} <= {*phrases["space"]}
    assert "on an ocean floor" in phrases["underwater"]
    assert "in a mountains" not in phrases["mountains"]
    assert (SETTING_WORDS["place"]["mountains"], SETTING_WORDS["place"]["moon"]) == (("alps",), ())


def test_rows_are_written_alike_and_explained() -> None:
    text = files(prompt_phrases.__name__.rpartition(".")[0]).joinpath("prompt_phrases.tsv")
    lines = text.read_text("utf-8").splitlines()
    rows = [*csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert {*rows[0]} == {"table", "meaning", "phrases"}
    for row in rows:
        phrases = row["phrases"].split(" | ")
        assert all(phrase == " ".join(phrase.split()).lower() for phrase in phrases), row
        assert len({*phrases}) == len(phrases), row
        assert row["table"] in str(prompt_phrases.__doc__)
