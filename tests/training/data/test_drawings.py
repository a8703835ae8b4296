"""The list of drawings: every concept in the house style, variants and colours from known sets."""

from __future__ import annotations

from collections import defaultdict

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.drawings import Drawing, all_drawings
from sheepgen.training.data.icon_sets import HOUSE_STYLE, STYLES, TRAINING_SETS


def _by_concept() -> dict[str, list[Drawing]]:
    found = defaultdict(list)
    for drawing in all_drawings():
        found[drawing.concept].append(drawing)
    return found


def test_every_concept_has_a_usual_drawing_in_the_house_style() -> None:
    found = _by_concept()
    assert list(found) == list(concepts())
    for drawings in found.values():
        assert (drawings[0].style, drawings[0].colour) == (HOUSE_STYLE, "")


def test_drawings_are_from_sets_that_may_train_and_none_is_listed_twice() -> None:
    assert len(set(all_drawings())) == len(all_drawings())
    assert {drawing.icon_set for drawing in all_drawings()} <= set(TRAINING_SETS)
    assert {drawing.style for drawing in all_drawings()} <= set(STYLES)


def test_the_cat_sits_and_may_be_black() -> None:
    cat = {drawing.colour: drawing for drawing in reversed(_by_concept()["cat"])}
    assert (cat[""].icon_set, cat[""].icon) == ("noto-v1", "cat")
    assert cat["black"].icon == "black-cat"


def test_people_come_in_skin_tones() -> None:
    colours = {drawing.colour for drawing in _by_concept()["woman"]}
    assert colours == {"", "black", "brown", "white"}
