"""Facts: what a caption tells of the whole picture, one number an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.captions import COLOUR_PHRASES, plain_caption
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.data.scene import KINDS, Scene
from sheepgen.training.text_encoder.attributes import FACTS, QUESTIONS, as_told, facts_of

if TYPE_CHECKING:
    from torch import Tensor

CAT = Scene(kind="single", subject="cat", style="noto", caption="a cat")
OUTSIDE = replace(CAT, place="beach", time="night", weather="rain")


def answers(facts: Tensor) -> dict[str, list[str]]:
    """Return what facts say, by question, without the questions that they leave open."""
    assert facts.shape == (FACTS,)
    assert set(facts.tolist()) <= {0.0, 1.0}
    parts = torch.split(facts, [len(known) for known in QUESTIONS.values()])
    told = {
        question: [known[number] for number in part.nonzero().flatten().tolist()]
        for (question, known), part in zip(QUESTIONS.items(), parts, strict=True)
    }
    return {question: given for question, given in told.items() if given}


@pytest.mark.parametrize(
    ("caption", "told"),
    [
        ("a cat", set()),
        ("a cat on a beach at night in the rain", {"place", "time", "weather"}),
        ("A CAT AT THE SEASIDE.", {"place"}),
        ("by moonlight, a cat on the beach", {"place", "time"}),
        ("a cat on a rainy day", {"weather"}),
        ("a cat in the forest at sunset in the sunshine", set()),
    ],
)
def test_what_a_caption_leaves_out_is_not_told(caption: str, told: set[str]) -> None:
    scene = replace(OUTSIDE, caption=caption)
    assert as_told(scene) == replace(
        scene,
        place="beach" if "place" in told else "",
        time="night" if "time" in told else "",
        weather="rain" if "weather" in told else "",
    )


def test_a_colour_is_told_of_what_is_behind_or_of_a_thing() -> None:
    scene = replace(CAT, subject="apple", background="red", caption="a red apple")
    assert as_told(scene).background == ""
    said = replace(scene, caption="a red apple on a red background")
    assert as_told(said) == said


def test_all_that_captions_call_a_backdrop_is_understood() -> None:
    for name, place in PLACES.items():
        for phrase in place.phrases:
            assert as_told(replace(CAT, place=name, caption=f"a cat {phrase}")).place == name
    for name, light in TIMES.items():
        for phrase in light.phrases:
            assert as_told(replace(CAT, time=name, caption=f"a cat {phrase}")).time == name
    for name, weather in WEATHERS.items():
        for phrase in weather.phrases:
            assert as_told(replace(CAT, weather=name, caption=f"a cat {phrase}")).weather == name
    for name in COLOURS:
        for form in COLOUR_PHRASES:
            caption = f"a cat {form.format(a='a', colour=name)}"
            assert as_told(replace(CAT, background=name, caption=caption)).background == name


def test_a_caption_that_says_everything_tells_everything() -> None:
    for index in range(300):
        scene = sample_scene("1/train", index)
        scene = replace(scene, caption=plain_caption(scene))
        assert as_told(scene) == scene


def test_facts_are_one_where_an_answer_is_given() -> None:
    assert answers(facts_of(CAT)) == {"kind": ["single"], "count": ["1"], "style": ["noto"]}
    assert answers(facts_of(OUTSIDE)) == {
        "kind": ["single"], "count": ["1"], "style": ["noto"], "place": ["beach"],
        "time": ["night"], "weather": ["rain"],
    }  # fmt: skip
    cats = replace(CAT, kind="several", count=3, style="fluent-emoji", background="white")
    assert answers(facts_of(cats)) == {
        "kind": ["several"], "count": ["3"], "style": ["fluent-emoji"], "background": ["white"],
    }  # fmt: skip


def test_digits_are_told_one_by_one_and_are_not_counted() -> None:
    digits = Scene(kind="digits", subject="42", background="blue")
    assert answers(facts_of(digits)) == {
        "kind": ["digits"], "background": ["blue"], "digits": ["4"], "second digit": ["2"],
    }  # fmt: skip
    assert answers(facts_of(replace(digits, subject="7", background=""))) == {
        "kind": ["digits"], "digits": ["7"],
    }  # fmt: skip


def test_every_answer_has_a_number_of_its_own() -> None:
    scenes = [replace(CAT, kind=kind) for kind in KINDS if kind != "digits"]
    scenes += [replace(CAT, count=count) for count in (2, 3, 4)]
    scenes += [replace(CAT, style=style) for style in STYLES]
    scenes += [replace(CAT, place=place) for place in PLACES]
    scenes += [replace(CAT, time=time) for time in TIMES]
    scenes += [replace(CAT, weather=weather) for weather in WEATHERS]
    scenes += [replace(CAT, background=colour) for colour in COLOURS]
    scenes += [Scene(kind="digits", subject=2 * str(digit)) for digit in range(10)]
    assert torch.stack([*map(facts_of, scenes)]).any(0).all()


def test_a_style_that_is_not_drawn_in_is_no_fact() -> None:
    assert "style" not in answers(facts_of(replace(CAT, style="openmoji")))
