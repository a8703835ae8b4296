"""Punctuation around a word is not the word's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from sheepgen.pipeline.token_groups import bare_word, token_groups
from sheepgen.pipeline.tokens import TokenLabel
from sheepgen.request import GenerationRequest


@dataclass(frozen=True)
class Labelled:
    """A model of which only the labels are known."""

    labels: tuple[TokenLabel, ...]

    def token_labels(self, *_: object) -> tuple[TokenLabel, ...]:
        return self.labels


def groups(prompt: str, *pieces: tuple[str, int], kind: Any = "word") -> list[tuple[object, ...]]:
    labels = (
        TokenLabel(position=at, kind=kind, text=piece, word=word)
        for at, (piece, word) in enumerate(pieces)
    )
    model = cast("Any", Labelled(tuple(labels)))
    found = token_groups(model, GenerationRequest(prompt=prompt, seed=0))
    return [(each.text, each.kind, each.positions, each.words) for each in found]


@pytest.mark.parametrize("mark", [",", ",</w>", "▁,", "Ġ,"])
def test_punctuation_has_a_group_of_its_own(mark: str) -> None:
    assert groups(
        "a, t-shirt,", ("a", 0), (mark, 0), ("t", 1), ("-", 1), ("shirt", 1), (",", 1)
    ) == [
        ("a", "word", [0], (0,)),
        (",", "special", [1, 5], ()),
        ("t-shirt", "word", [2, 3, 4], (1,)),
    ]


def test_punctuation_within_a_word_and_alone_is_a_word() -> None:
    assert groups("3.5 ...", ("3", 0), (".", 0), ("5", 0), ("...", 1)) == [
        ("3.5", "word", [0, 1, 2], (0,)),
        ("...", "word", [3], (1,)),
    ]


def test_things_lose_their_punctuation_too() -> None:
    found = groups('"fire truck",', ('"fire truck",', 1), kind="memory")
    assert found == [("fire truck", "memory", [0], (0, 1))]


@pytest.mark.parametrize(
    ("word", "bare"), [('sheep"', "sheep"), ("(red", "red"), ("<cat-toy>", "<cat-toy>"), ("?", "?")]
)
def test_bare_words(word: str, bare: str) -> None:
    assert bare_word(word) == bare
