"""What others wrote is read or refused, and what is refused is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.embedded.vocabulary_file import (
    from_dict,
    read_vocabulary,
    to_dict,
    write_vocabulary,
)
from sheepgen.errors import ModelError
from tests.embedded.vocabularies import tiny_table, tiny_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4) | st.just("cat"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def test_it_is_written_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    write_vocabulary(tiny_vocabulary(), path)
    assert read_vocabulary(path) == tiny_vocabulary()


@given(st.sampled_from([*tiny_table()]), json_values)
def test_a_damaged_part_is_read_or_refused_but_never_breaks(part: str, value: Any) -> None:
    table = tiny_table() | {part: value}
    try:
        vocabulary = from_dict(table)
    except ValueError:
        return
    assert to_dict(vocabulary).keys() == table.keys()


@pytest.mark.parametrize("part", sorted(tiny_table().keys() - {"loose"}))
def test_no_part_may_be_missing(part: str) -> None:
    table = tiny_table()
    del table[part]
    with pytest.raises(ValueError, match=part):
        from_dict(table)


def test_a_file_of_an_earlier_version_has_no_loose_names() -> None:
    table = tiny_table()
    del table["loose"]
    assert from_dict(table).loose == frozenset()


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("near", {"hound": "dragon"}, "'dragon', which is not a concept"),
        ("drawings", [["dragon", "noto", "", "noto"]], "'dragon', which is not a concept"),
        ("drawings", [["cat", "noto"]], "row of 2 cells"),
        ("words", ["a", "a"], "twice"),
        ("words", ["<hat>"], "twice"),
        ("ignored", ["\x1b[31m"], "unprintable"),
        ("ignored", ["a" * 101], "too long"),
        ("version", 2, "version is 2, not 1"),
        ("plurals", ["a"] * 200_001, "200,001 entries"),
    ],
)
def test_what_is_wrong_is_named(part: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_dict(tiny_table() | {part: value})


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000, b"[]", b'{"version": 1}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"vocabulary\.json"):
        read_vocabulary(path)


def test_a_fifo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    os.mkfifo(path)
    with pytest.raises(ModelError, match="cannot be read"):
        read_vocabulary(path)
