"""Captions: varied, short, true, and without held-out words; and what they say, as labels."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sheepgen.embedded.scene_labels import SceneLabels, Thing
from sheepgen.training.data.captions import MAX_WORDS, caption_labels, plain_caption, sample_caption
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.sampling import (
    concept_pool,
    sample_scene,
)
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.splits import (
    find_held_out_word,
)

SCENE = Scene(
    kind="riding", subject="sheep", other="motorcycle", other_colour="red", style="noto",
    place="beach", time="night", caption="a sheep riding a red motorcycle",
)  # fmt: skip
LABELS = SceneLabels(
    kind="riding",
    things=(Thing(name="sheep"), Thing(name="motorcycle", colour="red")),
    count=1,
    style="noto",
)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene("1/train", index) for index in range(4 * len(concept_pool()))]


def test_captions_are_short_varied_and_hold_nothing_held_out(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert 0 < len(scene.caption.split()) <= MAX_WORDS
        assert find_held_out_word(scene.caption) is None
    assert len({scene.caption for scene in scenes}) > 0.9 * len(scenes)
    assert any(scene.caption.isupper() for scene in scenes)
    assert any(scene.caption.startswith("please draw") for scene in scenes)


def test_captions_name_all_concepts(scenes: list[Scene]) -> None:
    missing = 0
    for scene in scenes:
        for name in scene.things:
            concept = concepts()[name]
            said = concept.forms
            missing += not any(word in scene.caption.lower() for word in said)
    # Only where a letter slipped.
    assert missing < 0.03 * len(scenes)


def test_a_caption_with_a_held_out_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lamb = replace(concepts()["sheep"], name="lamb", synonyms=())
    monkeypatch.setitem(concepts(), "sheep", lamb)
    scene = Scene(kind="single", subject="sheep", style="noto")
    with pytest.raises(ValueError, match="'lamb' is held out"):
        sample_caption(random.Random(1), scene)


@pytest.mark.parametrize(
    ("scene", "caption"),
    [
        (Scene(kind="single", subject="apple"), "an apple"),
        (Scene(kind="several", subject="mouse", count=2, time="night"), "two mice at night"),
        (
            Scene(kind="riding", subject="sheep", other="motorcycle", colour="blue", place="beach"),
            "a blue sheep riding a motorcycle on a beach",
        ),
        (
            Scene(kind="on_top", subject="cat", other="book", background="orange"),
            "a cat on top of a book on an orange background",
        ),
        (
            Scene(kind="wearing", subject="owl", other="crown", place="city", weather="rain"),
            "an owl wearing a crown in a city in the rain",
        ),
        (Scene(kind="single", subject="headphones"), "headphones"),
        (Scene(kind="digits", subject="7"), "the digit seven"),
        (Scene(kind="digits", subject="42"), "the number 42"),
    ],
)
def test_plain_captions(scene: Scene, caption: str) -> None:
    assert plain_caption(scene) == caption


def test_surroundings_are_labelled_if_the_caption_mentions_them() -> None:
    assert caption_labels(SCENE) == LABELS
    at_night = replace(SCENE, caption=f"{SCENE.caption} at night")
    assert caption_labels(at_night) == replace(LABELS, time="night")
    there = replace(SCENE, caption=f"{SCENE.caption} on a beach at night")
    assert caption_labels(there) == replace(LABELS, place="beach", time="night")


def test_a_colour_of_a_thing_is_not_the_background_s() -> None:
    scene = replace(SCENE, place="", time="", background="red")
    assert caption_labels(scene) == LABELS
    behind = replace(scene, caption=f"{SCENE.caption} on a red background")
    assert caption_labels(behind) == replace(LABELS, background="red")


def test_digits_are_no_things() -> None:
    scene = Scene(kind="digits", subject="42", caption="the handwritten number 42")
    labels = caption_labels(scene)
    assert (labels.things, labels.digits) == ((), "42")
    several = Scene(
        kind="several", subject="cat", count=3, colour="blue", caption="three blue cats"
    )
    assert caption_labels(several).things == (Thing(name="cat", colour="blue"),)
    assert caption_labels(several).count == 3
