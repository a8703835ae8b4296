from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.sanitize import byte_size, excerpt, first_of, joined, plural, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a sheep\n\tin a field", "a sheep\n\tin a field"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07", "]0;title"),
        ("\x9b31m", "31m"),
        ("a\x00b\x7fc\rd", "abcd"),
        ("\u202eevil\u2066\u200f", "evil"),
        ("café 🐑", "café 🐑"),
        ("half \ud83d", "half \N{REPLACEMENT CHARACTER}"),
        ("[red]markup[/]", "[red]markup[/]"),
    ],
)
def test_text_loses_what_steers_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_printable_text_can_be_written_and_is_left_alone(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    shown.encode()
    assert not any(unicodedata.category(letter) == "Cc" for letter in shown if letter not in "\n\t")


def test_texts_are_joined_as_sentences_list_them() -> None:
    assert joined(["a"], "and") == "a"
    assert joined(["a", "b"], "and") == "a and b"
    assert joined(["a", "b", "c"], "or") == "a, b or c"


def test_an_excerpt_is_one_short_line() -> None:
    assert excerpt("a\n  b\tc") == "a b c"
    assert excerpt("x" * 60) == "x" * 60
    assert excerpt("x" * 61) == "x" * 59 + "…"
    assert excerpt(["\x1b", None]) == "['\\x1b', None]"


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_440_000, "3.4 MB"), (2**31, "2.1 GB")],
)
def test_bytes_are_said_in_decimal_units(size: int, said: str) -> None:
    assert byte_size(size) == said


def test_of_many_only_the_first_are_said() -> None:
    texts = [str(number) for number in range(1030)]
    assert first_of(texts[:20]) == texts[:20]
    assert first_of(texts) == [*texts[:20], "and 1,010 more"]
    assert first_of([]) == []


def test_one_thing_is_not_many() -> None:
    said = [plural(number, "step") for number in (0, 1, 2, 8000)]
    assert said == ["0 steps", "1 step", "2 steps", "8,000 steps"]
