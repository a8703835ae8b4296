from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.sweep import prompts as sweep_prompts
from sheepgen.sweep.prompts import (
    MAX_PROMPTS,
    expand_alternatives,
    read_prompt_file,
    read_prompt_lines,
    replace_word,
)


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a red sheep", ["a red sheep"]),
        (
            "a {sheep|goat} riding a {motorcycle|bicycle}",
            [
                "a sheep riding a motorcycle",
                "a sheep riding a bicycle",
                "a goat riding a motorcycle",
                "a goat riding a bicycle",
            ],
        ),
        ("{a|b|a}", ["a", "b"]),
        ("a {red|} sheep", ["a red sheep", "a sheep"]),
        ("{red|} sheep", ["red sheep", "sheep"]),
        ("sheep {asleep|}", ["sheep asleep", "sheep"]),
        ("sheep{s|}, asleep", ["sheeps, asleep", "sheep, asleep"]),
        ("a {x|} {y|} b", ["a x y b", "a x b", "a y b", "a b"]),
        ("a {x|}{y|} b", ["a xy b", "a x b", "a y b", "a b"]),
        ("a { big | small } sheep", ["a big sheep", "a small sheep"]),
        ("a  b {c|d}", ["a  b c", "a  b d"]),
        ("{a|}", ["a", ""]),
        ("a {b {c|d}|e} f", ["a b c f", "a b d f", "a e f"]),
        ("{{a|b}|c}", ["a", "b", "c"]),
        ("{{a|b}}", ["{a}", "{b}"]),
        ("{a} and {{b}}", ["{a} and {{b}}"]),
        ("{} | }{", ["{} | }{"]),
        ("a {b {c|d}", ["a {b c", "a {b d"]),
        ("{a|b}}", ["a}", "b}"]),
        (r"\{a\|b\}", ["{a|b}"]),
        (r"{a\|b|\}}", ["a|b", "}"]),
        (r"a \(b:1.2\) \ {c|d}", [r"a \(b:1.2\) \ c", r"a \(b:1.2\) \ d"]),
        ("line\nline {a|b}", ["line\nline a", "line\nline b"]),
    ],
)
def test_alternatives(text: str, prompts: list[str]) -> None:
    assert list(expand_alternatives(text)) == prompts


@pytest.mark.parametrize("text", ["a {b|c", "{{a|b}|c", "{a|{b}", "{a|b{"])
def test_an_open_group_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not closed") as caught:
        expand_alternatives(text)
    assert text in caught.value.message


def test_prompts_are_not_without_number() -> None:
    ten = "{0|1|2|3|4|5|6|7|8|9}"
    assert len(expand_alternatives(ten * 4)) == MAX_PROMPTS
    for text in (ten * 5, ten * 1000, "{" + "|".join(map(str, range(MAX_PROMPTS + 1))) + "}"):
        with pytest.raises(UsageError, match="more than 10,000 prompts"):
            expand_alternatives(text)


def test_depth_does_not_matter() -> None:
    deep = "{" * 5000 + "a" + "}" * 5000
    assert expand_alternatives(deep) == (deep,)


words = st.text("abc", min_size=1, max_size=3)


@given(st.lists(st.lists(words, min_size=2, max_size=3, unique=True), min_size=1, max_size=4))
def test_groups_make_their_product(groups: list[list[str]]) -> None:
    text = " ".join("{" + "|".join(group) + "}" for group in groups)
    assert expand_alternatives(text) == tuple(map(" ".join, product(*groups)))


@given(st.text(max_size=50))
def test_escaped_text_is_itself(text: str) -> None:
    escaped = text.translate({ord(character): f"\\{character}" for character in "{|}"})
    assert expand_alternatives(escaped) == (text.strip(),)


@pytest.mark.parametrize(
    ("prompts", "words", "replaced"),
    [
        (["a sheep"], "sheep,goat,cow", ["a sheep", "a goat", "a cow"]),
        (["sheep, sheep"], "sheep, goat", ["sheep, sheep", "goat, goat"]),
        (["a sheep", "a dog"], "sheep,cow", ["a sheep", "a cow", "a dog"]),
        (["red, asleep"], '"red, asleep",blue', ["red, asleep", "blue"]),
        (["a sheep"], "sheep", ["a sheep"]),
        (["a (b)"], "(b),\\1", ["a (b)", "a \\1"]),
    ],
)
def test_a_word_is_replaced(prompts: list[str], words: str, replaced: list[str]) -> None:
    assert list(replace_word(prompts, words)) == replaced


def test_the_first_word_must_be_there() -> None:
    with pytest.raises(UsageError, match='"Sheep" is not in the prompt'):
        replace_word(["a sheep"], "Sheep,goat")
    with pytest.raises(UsageError, match="search and replace"):
        replace_word(["a sheep"], "sheep,")


def test_replacing_makes_no_prompts_without_number() -> None:
    with pytest.raises(UsageError, match="more than 10,000 prompts"):
        replace_word([f"x {number}" for number in range(5001)], "x,y")


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("\ufeffa sheep\n\n# a goat\n  a cow  \r\na sheep\n", ["a sheep", "a cow"]),
        ("one\rtwo\n  # three", ["one", "two"]),
        ("a\u2028b\x0bc\n# \ufeff", ["a\u2028b\x0bc"]),
        ("a #1 sheep", ["a #1 sheep"]),
    ],
)
def test_a_line_is_a_prompt(text: str, prompts: list[str]) -> None:
    assert list(read_prompt_lines(text)) == prompts


@pytest.mark.parametrize("text", ["", "\ufeff", " \n\n", "# a\n#b"])
def test_a_file_without_prompts_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="No prompts in the file"):
        read_prompt_lines(text)


def test_a_file_has_no_prompts_without_number() -> None:
    with pytest.raises(UsageError, match="more than 10,000 prompts"):
        read_prompt_lines("\n".join(map(str, range(MAX_PROMPTS + 1))))


def test_prompts_are_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prompts.txt").write_text("a sheep\n# no\nein Schäfchen\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (tmp_path / "prompts.txt", Path("~/prompts.txt")):
        assert read_prompt_file(path) == ("a sheep", "ein Schäfchen")


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"\xff\xfe", "not UTF-8"), (b"x" * 101, "more than 100 B")],
)
def test_a_file_that_cannot_be_read_is_refused(
    content: bytes | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_prompts, "_MAX_FILE_BYTES", 100)
    path = tmp_path / "prompts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"Cannot read prompts from .*prompts\.txt: {why}"):
        read_prompt_file(path)
