from __future__ import annotations

from pathlib import Path

import pytest

from sheepgen.errors import UsageError
from sheepgen.prompt_template import MAX_PROMPTS
from sheepgen.sweep import prompts as sweep_prompts
from sheepgen.sweep.prompts import read_prompt_file, read_prompt_lines, replace_word


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
    with pytest.raises(UsageError, match="The file has no prompts"):
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
