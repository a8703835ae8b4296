"""The tables: every row is sound, every word belongs to one concept, licences let us train."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from sheepgen.training.data.concepts import Spot, concepts, parse_concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS, NPM_PACKAGES, STYLES, TRAINING_SETS
from sheepgen.training.data.splits import (
    held_out_drawings,
    held_out_pairs,
    held_out_words,
)

HEADER = "name\tplural\tgroup\tsynonyms\tdrawing\texceptions\troles\tfaces\theads\tseat\ttop"
ROW = "sheep\tsheep\tanimal\tewe\tewe\tfxemoji=sheep noto-v1=-\trides\tleft noto=right\tnoto\t{}\t"
PERMISSIVE = {"Apache-2.0", "MIT", "CC-BY-4.0"}


def test_there_is_enough_to_learn() -> None:
    assert len(concepts()) >= 400
    assert {"sheep", "motorcycle"} <= concepts().keys()
    groups = Counter(concept.group for concept in concepts().values())
    assert len(groups) >= 15
    assert min(groups.values()) >= 8


def test_every_word_belongs_to_one_concept() -> None:
    words = Counter(word for concept in concepts().values() for word in concept.words)
    assert [word for word, count in words.items() if count > 1] == []
    held_out = set(held_out_words())
    assert held_out & words.keys() == set()


def test_words_and_drawings_are_well_formed() -> None:
    for concept in concepts().values():
        for word in (*concept.words, concept.plural):
            assert re.fullmatch(r"[a-z]+( [a-z]+)*", word), word
        for drawing in concept.drawings.values():
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", drawing), concept.name
        assert concept.group
        assert set(concept.faces.values()) <= {"left", "right", "front"}


def test_no_drawing_stands_for_two_concepts() -> None:
    for name in DRAWING_SETS:
        drawings = Counter(
            concept.drawings[name] for concept in concepts().values() if name in concept.drawings
        )
        assert [drawing for drawing, count in drawings.items() if count > 1] == []


def test_every_concept_is_drawn_in_every_style() -> None:
    for concept in concepts().values():
        assert concept.drawings.keys() >= set(STYLES), concept.name


def test_spots_are_inside_their_drawings() -> None:
    for concept in concepts().values():
        for spot in (*concept.seats.values(), *concept.tops.values()):
            assert 0 < spot.x < 1
            assert spot.y is None or 0 < spot.y < 1


def test_only_permissive_sets_train() -> None:
    assert {DRAWING_SETS[name].licence for name in TRAINING_SETS} <= PERMISSIVE
    assert "openmoji" not in TRAINING_SETS
    assert all(re.fullmatch(r"@?[\w/-]+@\d+\.\d+\.\d+", package) for package in NPM_PACKAGES)


def test_what_is_held_out_exists() -> None:
    assert len(held_out_words()) >= 60
    assert set(held_out_words().values()) <= concepts().keys()
    relations = Counter(relation for relation, _, _ in held_out_pairs())
    assert set(relations) == {"riding", "next_to", "wearing", "on_top"}
    assert min(relations.values()) >= 60
    for _, subject, other in held_out_pairs():
        assert {subject, other} <= concepts().keys()
    for style, name in held_out_drawings():
        assert style in concepts()[name].drawings


def test_a_row_is_read() -> None:
    (sheep,) = parse_concepts(f"{HEADER}\n{ROW.format('0.6 noto=0.5,0.25 twemoji=-')}\n")
    assert sheep.words == ("sheep", "ewe")
    assert sheep.drawings["noto"] == "ewe"
    assert sheep.drawings["fxemoji"] == "sheep"
    assert "noto-v1" not in sheep.drawings
    assert (sheep.faces["noto"], sheep.faces["twemoji"]) == ("right", "left")
    assert sheep.seats["noto"] == Spot(x=0.5, y=0.25)
    assert sheep.seats["emojione"] == Spot(x=0.6)
    assert "twemoji" not in sheep.seats
    assert sheep.tops == {}


@pytest.mark.parametrize("bad", ["0.6 nota=0.5", "0.6 noto", "0.6 noto="])
def test_a_malformed_cell_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not set=value"):
        parse_concepts(f"{HEADER}\n{ROW.format(bad)}\n")


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown roles"):
        parse_concepts(f"{HEADER}\n{ROW.format('').replace('rides', 'flies')}\n")
