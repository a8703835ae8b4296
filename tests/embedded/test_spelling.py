from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.embedded.spelling import allowed_errors, closest, edit_distance, nearest

letters = st.text("abc", max_size=6)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("cat", "cat", 0),
        ("cat", "cart", 1),
        ("cat", "act", 1),
        ("cat", "bat", 1),
        ("elefant", "elephant", 2),
        ("sheep", "motorcycle", 3),
        ("", "ab", 2),
    ],
)
def test_letters_to_change_are_counted_up_to_a_limit(
    first: str, second: str, distance: int
) -> None:
    assert edit_distance(first, second, 2) == distance


@given(letters, letters)
def test_distance_is_symmetric_and_zero_only_for_equal_words(first: str, second: str) -> None:
    distance = edit_distance(first, second, 9)
    assert distance == edit_distance(second, first, 9)
    assert (distance == 0) == (first == second)
    assert distance <= max(len(first), len(second))


def test_longer_words_may_have_more_errors() -> None:
    assert [allowed_errors(word) for word in ("cat", "bird", "sheeep", "giraffe", "8legs")] == [
        0,
        1,
        1,
        2,
        0,
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("girafe", "giraffe"),
        ("elefant", "elephant"),
        ("belephant", ""),  # the first letter is another's
        ("lehpant", "elephant"),
        ("hoise", ""),  # house or horse
        ("hous", "house"),
        ("cta", ""),
        ("bananananana", ""),
    ],
)
def test_a_word_is_corrected_to_the_one_known_word_it_is_near(typed: str, meant: str) -> None:
    assert nearest(typed, frozenset({"elephant", "giraffe", "horse", "house", "cat"})) == meant


def test_a_word_near_to_several_gets_a_suggestion() -> None:
    assert closest("hoise", ["house", "horse", "cat"]) == "horse"
    assert closest("krocodile", ["crocodile"]) == ""
    assert closest("cliff", ["clef"]) == ""
    assert closest("xy", ["xyz"]) == ""
