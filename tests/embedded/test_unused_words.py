from __future__ import annotations

import pytest

from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.prompt_parser import ParsedPrompt
from sheepgen.embedded.unused_words import suggestion_for, unused_words
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()


@pytest.mark.parametrize(
    ("prompt", "answers", "shown", "colours", "unused"),
    [
        ("a cat", {"kind": "single"}, ["cat"], [""], []),
        ("a sad cat", {"kind": "single"}, ["cat"], [""], ["sad"]),
        ("a red cat", {"kind": "single"}, ["cat"], ["red"], []),
        ("a red cat", {"kind": "single"}, ["cat"], [""], ["red"]),
        ("a cat on red", {"kind": "single", "background": "red"}, ["cat"], [""], []),
        ("a cat, a wolf and a hat", {"kind": "next_to"}, ["cat", "wolf"], ["", ""], ["hat"]),
        ("a cat riding a gift", {"kind": "next_to"}, ["cat", "gift"], ["", ""], ["riding"]),
        ("a cat riding a fire truck", {"kind": "riding"}, ["cat", "fire truck"], ["", ""], []),
        ("two cats", {"kind": "several", "count": "2"}, ["cat"], [""], []),
        ("9 cats", {"kind": "several", "count": "4"}, ["cat"], [""], ["9"]),
        ("900 cats", {"kind": "several", "count": "4"}, ["cat"], [""], ["900"]),
        ("a orange cat, a orange", {"kind": "single"}, ["cat"], ["orange"], []),
        ("the orange, a cat", {"kind": "single"}, ["cat"], [""], ["orange"]),
        ("42", {"kind": "digits", "digits": "4", "second digit": "2"}, [], [], []),
        ("on the moon", {"place": "moon"}, [], [], []),
        ("a cat on the moon", {"kind": "single"}, ["cat"], [""], ["moon"]),
        ("a cat " * 33, {"kind": "single"}, ["cat"], [""], ["cat"] * 31 + ["a", "cat"]),
    ],
)
def test_words_that_change_nothing_are_listed(
    prompt: str, answers: dict[str, str], shown: list[str], colours: list[str], unused: list[str]
) -> None:
    words = read_words(prompt, VOCABULARY)
    mentions = [next(m for m in words.mentions if m.concept == name) for name in shown]
    parsed = ParsedPrompt(answers, tuple(mentions), tuple(colours))
    found = unused_words(words, parsed, VOCABULARY)
    assert [prompt[word.start : word.end] for word in found] == unused


@pytest.mark.parametrize(
    ("typed", "suggestion"), [("elephanto", "elephant"), ("boss", ""), ("of", ""), ("gilt", "")]
)
def test_names_are_suggested_for_words_that_are_not_english(typed: str, suggestion: str) -> None:
    words = read_words(typed, VOCABULARY)
    (word,) = words.words
    assert suggestion_for(word, words, VOCABULARY) == suggestion or word.text == suggestion


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
    assert suggestion_for(word, words, VOCABULARY) == suggestion
