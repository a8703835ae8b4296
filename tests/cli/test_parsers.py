from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.cli.parsers import read_prompt
from sheepgen.cli.sweep import read_prompts
from sheepgen.errors import UsageError
from sheepgen.sweep import prompts as sweep_prompts

if TYPE_CHECKING:
    from tests.cli.conftest import Run, Typed


@pytest.mark.parametrize("words", [("-",), ("generate",), ("--seed", "1"), ("--seed", "1", "-")])
def test_the_prompt_may_be_piped_in(typed: Typed, words: tuple[str, ...]) -> None:
    assert typed(*words, stdin="a sheep,\nand 羊\r\n").prompt == "a sheep,\nand 羊"


@pytest.mark.parametrize(
    ("stdin", "complaint"),
    [
        ("", "prompt is empty"),
        ("\n", "prompt is empty"),
        (b"\xff", "UTF-8"),
        (b"a\xe7", "UTF-8"),
        ("x" * 90_000, "cha"),
        ("é" * 90_000, "cha"),
    ],
)
def test_what_is_piped_in_is_checked(run: Run, stdin: str | bytes, complaint: str) -> None:
    result = run("-", stdin=stdin)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(UsageError, match="No prompt given"):
        read_prompt(None)


def test_a_closed_standard_input_holds_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="No prompt given"):
        read_prompt("-")


def test_prompts_come_from_a_file_or_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, fifo = tmp_path / "file", tmp_path / "fifo"
    file.write_text("a cat\na {red|blue} dog\n", "utf-8")
    prompts = ("a cat", "a red dog", "a blue dog")
    assert read_prompts(None, file, []) == prompts
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_prompts(None, Path("~/file"), []) == prompts
    os.mkfifo(fifo)
    with pytest.raises(UsageError, match="The file has no prompts"):
        read_prompts(None, fifo, [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a\xff", "not UTF-8 text"), (b"a" * 101, r"more than 100 B"), (None, "No such file")],
)
def test_a_file_of_prompts_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, reason: str
) -> None:
    monkeypatch.setattr(sweep_prompts, "_MAX_FILE_BYTES", 100)
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_prompts(None, tmp_path / "file", [])


@pytest.mark.parametrize("path", ["/dev/zero", "."])
def test_devices_and_folders_hold_no_prompts(path: str) -> None:
    with pytest.raises(UsageError, match="Not a regular file or pipe"):
        read_prompts(None, Path(path), [])
