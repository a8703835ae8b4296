"""A word that names a thing is told from one that names a colour, a place or an hour."""

from __future__ import annotations

import pytest

from tests.training.data.naming import NamedThing, named_style, named_things


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("a sheep riding a bus", {1: "sheep", 4: "bus"}),
        ("Two Cats.", {1: "cat"}),
        ("a hot dog, glossy style", {2: "hot dog"}),
        ("a four leaf clover", {3: "four leaf clover"}),
        ("an orange", {1: "orange"}),
        ("an orange next to a bus", {1: "orange", 5: "bus"}),
        ("an orange cat", {2: "cat"}),
        ("an orange hot dog", {3: "hot dog"}),
        ("a cat on an orange background", {1: "cat"}),
        ("a cat against orange, flat style", {1: "cat"}),
        ("a cat against orange", {1: "cat"}),
        ("against orange", {}),
        ("on the moon, a cat", {4: "cat"}),
        ("a cat in front of mountains", {1: "cat"}),
        ("a crescent moon", {2: "crescent moon"}),
        ("a wug at night", {}),
        ("", {}),
    ],
)
def test_things_are_named_by_their_last_word(sentence: str, named: dict[int, str]) -> None:
    assert {thing.at: thing.name for thing in named_things(sentence)} == named


def test_colours_are_said_right_before_names() -> None:
    assert named_things("a red hot dog on a blue bus on a green background") == [
        NamedThing(at=3, name="hot dog", colour="red"),
        NamedThing(at=7, name="bus", colour="blue"),
    ]


@pytest.mark.parametrize(
    ("sentence", "style"),
    [
        ("a sheep", "noto"),
        ("Glossy style a sheep", "fluent-emoji"),
        ("a sheep in soft gradient style", "fluent-emoji"),
        ("a bold flat style sheep", "fluent-emoji-flat"),
        ("a sheep, cartoon style", "noto"),
    ],
)
def test_styles(sentence: str, style: str) -> None:
    assert named_style(sentence) == style
