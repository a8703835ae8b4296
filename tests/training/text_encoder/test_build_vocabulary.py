from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.vocabulary_file import to_dict
from sheepgen.training.data.backgrounds import PLACES
from sheepgen.training.text_encoder.build_vocabulary import build_vocabulary

if TYPE_CHECKING:
    from sheepgen.embedded.vocabulary import Vocabulary


def test_it_is_small_enough_to_ship(vocabulary: Vocabulary) -> None:
    assert len(json.dumps(to_dict(vocabulary))) < 1_500_000


def test_a_small_cast_knows_only_its_own_names() -> None:
    small = build_vocabulary(
        ["cat", "dog"], [("cat", "noto", "", "noto"), ("lion", "noto", "", "noto")]
    )
    assert {*small.concepts} == {"cat", "dog"}
    assert {*small.forms.values()} | {*small.near.values()} <= {"cat", "dog"}
    assert [row[0] for row in small.drawings] == ["cat"]


@pytest.mark.parametrize(
    ("prompt", "concepts"),
    [
        ("kittens", ["cat"]),
        ("a lorry", ["truck"]),
        ("two wolves", ["wolf"]),
        ("a dancing woman", ["dancing woman"]),
        ("a woman dancing", ["dancing woman"]),
        ("a red car", ["car"]),
        ("firetruck", ["fire truck"]),
        ("eine Katze", ["cat"]),
        ("un éléphant", ["elephant"]),
        ("una casa", ["house"]),
        ("🐘", ["elephant"]),
        ("elefant", ["elephant"]),
        ("love", ["heart"]),
        ("birthday", ["gift"]),
        ("a cat's birthday", ["cat"]),
        ("a cat on the moon", ["cat"]),
        ("port", []),
    ],
)
def test_people_are_understood(prompt: str, concepts: list[str], vocabulary: Vocabulary) -> None:
    read = read_words(prompt, vocabulary)
    assert [mention.concept for mention in read.mentions] == concepts


def test_there_is_something_to_show_at_every_place(vocabulary: Vocabulary) -> None:
    assert vocabulary.defaults.keys() == PLACES.keys()


def test_no_table_leads_from_a_name_to_another_concept(vocabulary: Vocabulary) -> None:
    for table in (vocabulary.near, vocabulary.evoked):
        assert not table.keys() & vocabulary.forms.keys()
        assert not table.keys() & {*vocabulary.words}


def test_words_that_lead_to_no_answer_only_structure_a_sentence(vocabulary: Vocabulary) -> None:
    function_words = """
        a an the this that these those some all each another other one ones 1 my your his her our
        their its it i you they them there here s who which where when while
        is are was be has have having can do
        , and or as also well with of on in at by to for from into near next beside inside among
        along alongside around across against through during up down front top day lot
    """
    silent = {word for word in vocabulary.words if word not in vocabulary.cues}
    assert sorted(silent - {*function_words.split()}) == []


@pytest.mark.parametrize(
    ("name", "is_loose"),
    [
        *[("nurse", True), ("nurses", True), ("school bus", True), ("schoolbuses", True)],
        *[("people dancing", True), ("boy riding a bike", True), ("woman sleeping", True)],
        *[("bike", False), ("kid", False), ("lady doctor", False), ("guy dancing", False)],
        *[("wooden chair", False), ("person running", False), ("couple kissing", False)],
    ],
)
def test_names_of_something_else_are_loose(
    name: str, is_loose: bool, vocabulary: Vocabulary
) -> None:
    assert name in vocabulary.forms
    assert (name in vocabulary.loose) == is_loose


def test_colours_are_left_to_be_bound(vocabulary: Vocabulary) -> None:
    (mention,) = read_words("a red car", vocabulary).mentions
    assert [word.text for word in mention.words] == ["car"]
