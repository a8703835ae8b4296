from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import UsageError
from sheepgen.meaning.query import (
    MAX_PROMPTS,
    MAX_WORDS,
    MeaningQuery,
    bare,
    default_words,
    parse_analogy,
    read_words,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sum_is_read_with_its_signs() -> None:
    terms = parse_analogy("king - man + a  t-shirt").terms
    assert [tuple(term) for term in terms] == [(1, "king"), (-1, "man"), (1, "a  t-shirt")]
    assert parse_analogy("king \N{MINUS SIGN} man").text == "king - man"


@pytest.mark.parametrize(
    "typed", ["", "king", "king-man", "king - ", "a - b - c - d - e - f - g - h - i"]
)
def test_what_is_not_a_sum_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="is not a sum of 2 to 8 words"):
        parse_analogy(typed)


def test_texts_count_once() -> None:
    query = MeaningQuery(prompts=("a", "b", "a"), words=("x", "y", "x"))
    assert query.prompts == ("a", "b")
    assert query.texts == ("a", "b", "x", "y")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": ()}, "No prompts given"),
        ({"prompts": ("",)}, "prompt"),
        ({"prompts": ("\ud800",)}, "prompt"),
        ({"prompts": tuple(map(str, range(MAX_PROMPTS + 1)))}, "at most 40 prompts, got 41"),
        ({"words": ("one",)}, "at least 2 words"),
        ({"words": tuple(map(str, range(MAX_WORDS + 1)))}, "at most 5,000 words, got 5,001"),
        ({"words": ("a", "b" * 201)}, "longer than 200 characters"),
        ({"nearest": 101}, "between 0 and 100, got 101"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"prompts": ("a sheep",), "words": ("a", "b")}
    with pytest.raises(UsageError, match=message):
        MeaningQuery(**asked | changes)


def test_words_are_lines(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes(b"\xef\xbb\xbfsheep\r\n\r\n# not this\r\nfire truck\r\n")
    assert read_words(file) == ("sheep", "fire truck")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"a\n" * 500_001, "more than 1.0 MB"),
        (b"\n# nothing\n", "has no words"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_words(file)


def test_a_device_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", tmp_path / os.devnull):
        with pytest.raises(UsageError, match="Cannot read words from"):
            read_words(path)


def test_the_words_are_what_the_installed_model_can_show() -> None:
    assert {"sheep", "motorcycle", "king", "queen"} <= {*default_words()}


def test_an_article_does_not_make_another_word() -> None:
    assert bare("A  Sheep") == bare("the sheep") == "sheep"
    assert bare("a") == "a"
