"""Plurals, articles, and held-out words found as whole words only."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sheepgen.training.data.splits import find_held_out_word, held_out_words
from sheepgen.training.data.words import article, plural_of, words_of


@pytest.mark.parametrize(
    ("one", "many"),
    [("bus", "buses"), ("cherry", "cherries"), ("monkey", "monkeys"), ("watch", "watches"),
     ("palm tree", "palm trees"), ("fox", "foxes")],
)  # fmt: skip
def test_plurals(one: str, many: str) -> None:
    assert plural_of(one) == many


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [("owl", "an"), ("red owl", "a"), ("unicorn", "a"), ("ufo", "a"), ("hourglass", "an"),
     ("european castle", "a"), ("orange ball", "an")],
)  # fmt: skip
def test_articles(phrase: str, expected: str) -> None:
    assert article(phrase) == expected


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("a lamb on a hill", "lamb"),
        ("TWO LAMBS.", "lambs"),
        ("ponies, please", "ponies"),
        ("a lambada", None),
        ("a cat catching a calfskin ball", None),
        ("", None),
    ],
)
def test_held_out_words_are_whole_words(sentence: str, found: str | None) -> None:
    assert find_held_out_word(sentence) == found


@given(st.sampled_from(sorted(held_out_words())), st.text("abc XYZ.,", max_size=20))
def test_a_held_out_word_is_found_wherever_it_stands(word: str, text: str) -> None:
    assert find_held_out_word(f"{text} {word.upper()}, {text}") is not None


@example("\N{GURMUKHI DIGIT ZERO} sheep")
@given(st.text(max_size=60))
def test_words_have_no_marks(text: str) -> None:
    assert all(word.isascii() and word.isalnum() for word in words_of(text))
