from __future__ import annotations

import pytest

from sheepgen.embedded.prompt import read_words
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()


@pytest.mark.parametrize(
    ("prompt", "shown", "left_out"),
    [
        ("no cats, a wolf", ["wolf"], ["no cats"]),
        ("a cat without a red hat", ["cat"], ["without a red hat"]),
        ("a wolf but not a cat", ["wolf"], ["not a cat"]),
        ("not a cat or a wolf and a gift", ["gift"], ["not a cat or a wolf"]),
        ("no cats and wolves", [], ["no cats and wolves"]),
        ("no cats and a wolf", ["wolf"], ["no cats"]),
        ("neither a cat nor a wolf", [], ["neither a cat", "nor a wolf"]),
        ("a not very sad cat", ["cat"], ["not very sad"]),
        ("a cat that is not sad", ["cat"], ["not sad"]),
        ("a cat not wearing a hat", ["cat"], ["not wearing a hat"]),
        ("a cat not eating a gift", ["cat"], ["not eating a gift"]),
        ("not only a cat, a wolf", ["cat", "wolf"], []),
        ("a cat, not at night", ["cat"], ["not at night"]),
        ("a cat, no gift of a wolf", ["cat"], ["no gift of a wolf"]),
        ("no sad text with a cat", ["cat"], ["no sad text"]),
        ("a cat without", ["cat"], ["without"]),
        ("a wolf without the fire trucks", ["wolf"], ["without the fire trucks"]),
    ],
)
def test_what_is_not_there_is_left_out(prompt: str, shown: list[str], left_out: list[str]) -> None:
    read = read_words(prompt, VOCABULARY)
    assert [mention.concept for mention in read.mentions] == shown
    negated = ("no", "not", "nor", "neither", "without")
    places = [place for place in read.places if place[0].text in negated]
    assert [prompt[place[0].start : place[-1].end] for place in places] == left_out or not left_out
    assert not read.absent & {*shown}


def test_what_is_left_out_is_known() -> None:
    assert read_words("no cats or hats", VOCABULARY).absent == {"cat", "sun hat"}
