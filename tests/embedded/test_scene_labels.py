"""What scenes' labels say, as words and as answers."""

from __future__ import annotations

import pytest

from sheepgen.embedded.scene_labels import SceneLabels, Thing, attributes_of, describe

CAT = Thing(name="cat")
SHEEP = Thing(name="sheep", plural="sheep")
OX = Thing(name="ox", plural="oxen", colour="red")
GLASSES = Thing(name="glasses", plural="glasses", bare=True)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (SceneLabels(things=(CAT,)), "a cat"),
        (SceneLabels(kind="several", things=(CAT,), count=2, time="night"), "two cats at night"),
        (SceneLabels(kind="several", things=(OX,), count=12), "12 red oxen"),
        (SceneLabels(kind="riding", things=(SHEEP, OX)), "a sheep riding a red ox"),
        (SceneLabels(kind="wearing", things=(OX, GLASSES)), "a red ox wearing glasses"),
        (SceneLabels(things=(OX,), style="fluent-emoji-flat"), "a red ox in flat style"),
        (SceneLabels(place="beach", time="dusk"), "on a beach (dusk)"),
        (
            SceneLabels(kind="digits", digits="42", background="orange"),
            "the number 42 on an orange background",
        ),
        (SceneLabels(things=(Thing(name="unicorn"),)), "a unicorn"),
        (SceneLabels(things=(Thing(name="hourglass"),)), "an hourglass"),
        (SceneLabels(things=(Thing(name="city at night"),), time="night"), "a city at night"),
        (SceneLabels(), ""),
    ],
)
def test_labels_are_said_in_words(labels: SceneLabels, expected: str) -> None:
    assert describe(labels) == expected


def test_attributes_are_what_is_said_of_the_whole_scene() -> None:
    labels = SceneLabels(things=(CAT,), place="beach", time="night", weather="rain", style="flat")
    assert attributes_of(labels, "noto") == {
        "kind": "single", "count": "1", "style": "noto", "place": "beach", "time": "night",
        "weather": "rain", "background": "", "digits": "", "second digit": "",
    }  # fmt: skip


def test_digits_are_answered_one_by_one_and_not_counted() -> None:
    answers = attributes_of(SceneLabels(kind="digits", digits="42", background="blue"), "")
    assert {name: answer for name, answer in answers.items() if answer} == {
        "kind": "digits", "background": "blue", "digits": "4", "second digit": "2",
    }  # fmt: skip
