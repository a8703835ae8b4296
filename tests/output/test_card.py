from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from sheepgen.output.card import ELLIPSIS, MISSING, legible, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a red sheep", "a red sheep"),
        ("Schäfchen, café, ½ žluťoučký", "Schafchen, cafe, 1/2 zlutoucky"),
        ("512\u00d7512 \u2013 “it\u2019s”", '512x512 - "it\'s"'),
        ("羊 овца", f"{MISSING} {MISSING * 4}"),
        ("one\ntwo\tthree\x1b[31m\u202e", "one two three[31m"),
        ("\ud800", MISSING),
        ("", ""),
    ],
)
def test_letters_that_the_font_lacks_are_replaced(text: str, shown: str) -> None:
    assert legible(text) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_every_text_becomes_one_line_of_letters_that_the_font_has(text: str) -> None:
    assert all(32 <= ord(letter) < 127 or letter == MISSING for letter in legible(text))


def test_the_font_has_every_letter_of_a_legible_text() -> None:
    font = ImageFont.load_default(16)
    missing = bytes(font.getmask(MISSING))
    letters = [*map(chr, range(33, 127)), ELLIPSIS]
    assert all(bytes(font.getmask(letter)) not in (missing, b"") for letter in letters)


@pytest.mark.parametrize(
    ("text", "lines", "wrapped"),
    [
        ("short", 1, ["short"]),
        ("", 2, [""]),
        ("a red sheep", 2, ["a red", "sheep"]),
        ("exactly ten", 2, ["exactly", "ten"]),
        ("a red sheep rides", 2, ["a red", "sheep rid…"]),
        ("18446744073709551615", 2, ["1844674407", "3709551615"]),
        ("184467440737095516150", 2, ["1844674407", "370955161…"]),
        ("see 18446744073", 3, ["see", "1844674407", "3"]),
        ("dpmpp karras", 1, ["dpmpp kar…"]),
        ("some text  here", 1, ["some text…"]),
    ],
)
def test_lines_break_between_words_and_the_last_is_cut(
    text: str, lines: int, wrapped: list[str]
) -> None:
    assert wrap(text, 10, lines, len) == wrapped


@given(st.text("ab ", max_size=60).map(legible), st.integers(2, 20), st.integers(1, 5))
def test_no_line_is_too_wide_and_nothing_is_lost_unmarked(
    text: str, width: int, lines: int
) -> None:
    wrapped = wrap(text, width, lines, len)
    assert 1 <= len(wrapped) <= lines
    assert all(len(line) <= width for line in wrapped)
    seen = "".join(wrapped).replace(" ", "")
    whole = text.replace(" ", "")
    assert seen == whole or (seen.endswith("…") and whole.startswith(seen[:-1]))
