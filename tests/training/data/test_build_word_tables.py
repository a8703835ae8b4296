from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from sheepgen.training.data.build_word_tables import (
    associated_concepts,
    foreign_names,
    mistakable_words,
    nearest_concepts,
)
from sheepgen.training.data.wordnet import Nouns, Sense
from tests.embedded.vocabularies import tiny_vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

VOCABULARY = tiny_vocabulary()
EMOJI: dict[str, dict[str, Any]] = {
    "1F408": {"label": "cat", "emoji": "🐈", "tags": ["pet", "cat", "miaow"]},
    "1F43A": {"label": "wolf", "emoji": "🐺", "tags": ["pet", "howl"]},
    "1F6F8": {"label": "flying saucer", "emoji": "🛸", "tags": ["ufo"]},
}
TWO_WORDS_ALIKE = {("pet", "cat"), ("howl", "wolf"), ("beagle", "wolf"), ("pug", "cat")}


class FakeEncoder:
    """Finds words alike that are listed, and no others."""

    def meanings(self, texts: Sequence[str], batch: int = 128) -> torch.Tensor:  # noqa: ARG002
        names = [*VOCABULARY.concepts]
        pairs = dict(TWO_WORDS_ALIKE)
        rows = [names.index(text if text in names else pairs.get(text, "gift")) for text in texts]
        return torch.eye(len(names))[rows]


def test_foreign_names_that_mean_something_else_in_english_are_left_out() -> None:
    german = {
        "1F408": {"label": "Kater(in)"},
        "1F43A": {"label": "Wölfchen"},
        "1F6F8": {"label": "Untertasse"},
    }
    spanish = {"1F408": {"label": "gato"}, "1F43A": {"label": "port"}}
    names = foreign_names(VOCABULARY, EMOJI, {"de": german, "es": spanish}, {"port"})
    assert names == {"gato": "cat", "kater": "cat", "wolfchen": "wolf", "🐈": "cat", "🐺": "wolf"}


def test_a_word_brings_to_mind_what_it_is_most_like_of_what_is_tagged_with_it() -> None:
    found = associated_concepts(VOCABULARY, EMOJI, FakeEncoder(), {"miaow"})  # type: ignore[arg-type]
    assert found == {"pet": "cat", "howl": "wolf"}


def test_nouns_come_to_the_concept_that_they_are_a_kind_of() -> None:
    def sense(*above: str, visible: bool = True) -> Sense:
        return Sense(visible=visible, person=False, kind_of=above, explained="")

    nouns = Nouns(
        senses={
            "1": sense(),
            "2": sense("1"),
            "3": sense("2"),
            "4": sense("1", visible=False),
            "5": sense("1"),
        },
        of_word={"wolf": ("1",), "beagle": ("3",), "howler": ("4", "3"), "pug": ("5",)},
        people=frozenset(),
    )
    # A pug is a kind of wolf here, but nothing like one.
    found = nearest_concepts(VOCABULARY, nouns, FakeEncoder(), ())  # type: ignore[arg-type]
    assert found == {"beagle": "wolf"}


def test_english_words_that_look_like_mistyped_names_are_kept() -> None:
    words = ["catch", "night", "elegant", "helicopter", "gist", "wolfs", "cat"]
    assert [*mistakable_words(words, VOCABULARY)] == ["elegant", "gist", "night", "wolfs"]
