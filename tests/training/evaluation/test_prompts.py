"""The table of prompts: complete, unique, true to the tables, and held out where it says so."""

from __future__ import annotations

import csv
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from sheepgen.embedded.prompt import read_words
from sheepgen.errors import UsageError
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.captions import plain_caption
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS, HOUSE_STYLE, STYLES
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.data.sampling import styles_for
from sheepgen.training.data.splits import (
    find_held_out_word,
    held_out_drawings,
    held_out_pairs,
    held_out_words,
    must_stay_apart,
)
from sheepgen.training.evaluation.attributes import ATTRIBUTES, concept_classes
from sheepgen.training.evaluation.prompts import Prompt, known_prompts, prompt_groups, read_prompts
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from sheepgen.embedded.vocabulary import Vocabulary

GROUPS = {
    "single things": 160,
    "riding, seen in training": 40,
    "riding, held out": 60,
    "next to, held out": 40,
    "wearing, held out": 40,
    "on top, held out": 40,
    "two to four of a kind": 45,
    "colours": 44,
    "plain backgrounds": 22,
    "places": 54,
    "times and weather": 24,
    "styles": 45,
    "held-out words": 78,
    "with unused words": 40,
    "handwritten digits": 10,
}
STATED = {
    "riding, seen in training": {"relation"},
    "riding, held out": {"relation"},
    "next to, held out": {"relation"},
    "wearing, held out": {"relation"},
    "on top, held out": {"relation"},
    "two to four of a kind": {"count"},
    "colours": {"colour"},
    "plain backgrounds": {"background"},
    "places": {"place"},
    "styles": {"style"},
}
"""The attributes of groups whose prompts all state the same, besides the concepts."""


def test_every_group_is_complete_and_no_prompt_comes_twice() -> None:
    groups = prompt_groups()
    assert {name: len(prompts) for name, prompts in groups.items()} == GROUPS
    assert list(groups) == list(GROUPS)
    texts = [prompt.text for prompt in read_prompts()]
    assert len(texts) == len(set(texts)) >= 600
    assert texts == [text.lower().strip() for text in texts]


def test_groups_are_chosen_by_name() -> None:
    assert list(prompt_groups(["colours", "single things"])) == ["single things", "colours"]
    with pytest.raises(UsageError, match='Unknown group "colors"') as caught:
        prompt_groups(["colours", "colors"])
    assert '"two to four of a kind", "colours", "plain backgrounds"' in caught.value.hint


def test_a_small_model_is_evaluated_on_the_prompts_that_it_knows() -> None:
    groups = known_prompts(prompt_groups(), ["sheep", "motorcycle"])
    assert [prompt.text for prompt in groups["riding, held out"]] == ["a sheep riding a motorcycle"]
    assert len(groups["handwritten digits"]) == 10
    assert "on top, held out" not in groups
    with pytest.raises(UsageError, match="knows the concepts of none of these prompts"):
        known_prompts(prompt_groups(["riding, held out"]), ["sheep"])


def test_prompts_by_eye_are_complete() -> None:
    text = files("sheepgen.training.evaluation").joinpath("prompts_by_eye.tsv").read_text("utf-8")
    rows = [*csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert Counter(row["list"] for row in rows) == {
        "single things": 24,
        "compositions": 24,
        "as people type": 36,
        "understood": 100,
    }
    assert len({row["prompt"] for row in rows}) == len(rows)
    for row in rows:
        assert row["expected"]
        assert None not in row.values()


@pytest.mark.parametrize("prompt", read_prompts(), ids=lambda prompt: prompt.text)
def test_a_prompt_can_be_painted_and_classified(prompt: Prompt) -> None:
    scene = prompt.scene
    if scene.kind != "digits":
        assert concepts().keys() >= scene.things.keys()
        styles = styles_for(scene.kind, scene.subject, scene.other, testing=True)
        assert {scene.style, HOUSE_STYLE} <= set(styles)
    assert paint_scene(scene, Blocks(), 32).size == (32, 32)
    for name, value in prompt.attributes.items():
        assert ATTRIBUTES[name].value_of(scene) == value
        assert value in ATTRIBUTES[name].classes


@pytest.mark.parametrize("group", GROUPS)
def test_prompts_state_their_attributes_and_nothing_else(
    group: str, vocabulary: Vocabulary
) -> None:
    for prompt in prompt_groups([group])[group]:
        text = prompt.text
        if group == "held-out words":
            held_out = find_held_out_word(text)
            assert held_out is not None
            assert held_out_words()[held_out] == prompt.scene.subject
            assert prompt.attributes.keys() <= {"place"}
            assert text.endswith(
                PLACES[prompt.scene.place].phrases[0] if prompt.attributes else held_out
            )
            continue
        assert find_held_out_word(text) is None
        if group == "styles":
            text, _, words = text.partition(", ")
            assert words in DRAWING_SETS[prompt.scene.style].style_words
            text = f"{text}, {words}" if prompt.scene.style != HOUSE_STYLE else text
        if group == "with unused words":
            plain = plain_caption(prompt.scene)
            assert text.startswith(plain)
            mentions = read_words(text, vocabulary).mentions
            assert [mention.concept for mention in mentions] == [prompt.scene.subject]
            assert len(text) > len(plain)
            text = plain
        assert text == plain_caption(prompt.scene)
        if group != "times and weather":
            assert prompt.attributes.keys() == STATED.get(group, set())
        else:
            assert prompt.attributes.keys() in ({"time"}, {"time", "place"}, {"weather", "place"})


def test_held_out_pairs_are_held_out_and_seen_ones_are_not() -> None:
    def pairs(group: str) -> list[tuple[str, str, str]]:
        scenes = [prompt.scene for prompt in prompt_groups([group])[group]]
        return [(scene.kind, scene.subject, scene.other) for scene in scenes]

    held_out = [group for group in GROUPS if group.endswith(", held out")]
    assert len(held_out) == 4
    for group in held_out:
        assert set(pairs(group)) <= held_out_pairs()
    assert prompt_groups()["riding, held out"][0].text == "a sheep riding a motorcycle"
    for kind, subject, other in pairs("riding, seen in training"):
        assert kind == "riding"
        assert not must_stay_apart(subject, other)
        assert HOUSE_STYLE in styles_for("riding", subject, other)


def test_words_digits_and_every_value_occur_equally_often() -> None:
    stated = {
        group: Counter(value for prompt in prompts for value in prompt.attributes.values())
        for group, prompts in prompt_groups().items()
    }
    assert stated["two to four of a kind"] == {"2": 15, "3": 15, "4": 15}
    assert stated["colours"] == dict.fromkeys(COLOURS, 4)
    assert stated["plain backgrounds"] == dict.fromkeys(COLOURS, 2)
    assert stated["places"] == dict.fromkeys(PLACES, 3)
    assert stated["styles"] == dict.fromkeys(STYLES, 15)
    hours = {name: stated["times and weather"][name] for name in (*TIMES, *WEATHERS)}
    assert hours == dict.fromkeys(TIMES, 4) | dict.fromkeys(WEATHERS, 3)
    words = [find_held_out_word(prompt.text) for prompt in prompt_groups()["held-out words"]]
    assert words == list(held_out_words())
    digits = [prompt.scene.subject for prompt in prompt_groups()["handwritten digits"]]
    assert digits == list("0123456789")


def test_single_concepts_are_of_all_groups() -> None:
    subjects = [prompt.scene.subject for prompt in prompt_groups()["single things"]]
    assert {"sheep", "motorcycle"} < set(subjects)
    counts = Counter(concepts()[name].group for name in subjects)
    # Of all that the installed classifier knows.
    known = [name for name in concept_classes() if name in concepts()]
    assert counts.keys() == {concepts()[name].group for name in known}
    assert max(counts.values()) - min(counts.values()) <= 3


def test_what_is_recoloured_may_be_and_styles_have_been_seen() -> None:
    for prompt in prompt_groups()["colours"]:
        assert "own-colour" not in concepts()[prompt.scene.subject].roles
    for prompt in prompt_groups()["styles"]:
        assert (prompt.scene.style, prompt.scene.subject) not in held_out_drawings()
