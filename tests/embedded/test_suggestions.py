from __future__ import annotations

import pytest

from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.suggestions import suggestion_for
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()


@pytest.mark.parametrize(
    ("typed", "suggestion"), [("elephanto", "elephant"), ("boss", ""), ("of", ""), ("gilt", "")]
)
def test_names_are_suggested_for_words_that_are_not_english(typed: str, suggestion: str) -> None:
    words = read_words(typed, VOCABULARY)
    (word,) = words.words
    assert suggestion_for((word,), words, VOCABULARY) == suggestion or word.text == suggestion


@pytest.mark.parametrize(
    ("prompt", "suggestion"),
    [
        ("a cat on a birthday", "gift"),
        ("a cat with birthdays", "gift"),
        ("a cat in a grin", ""),
        ("a birthday cat", ""),
        ("a gift for a birthday", ""),
    ],
)
def test_what_a_noun_evokes_is_suggested_but_not_what_others_do(
    prompt: str, suggestion: str
) -> None:
    words = read_words(prompt, VOCABULARY)
    (word,) = (word for word in words.unknown if word.text.startswith(("birth", "grin")))
    assert suggestion_for((word,), words, VOCABULARY) == suggestion


def test_nothing_is_suggested_in_place_of_what_is_not_there() -> None:
    words = read_words("a cat without birthdays", VOCABULARY)
    assert suggestion_for(words.places[-1], words, VOCABULARY) == ""
