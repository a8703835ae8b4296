from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sheepgen.cli.inputs import read_prompt
from sheepgen.errors import UsageError

if TYPE_CHECKING:
    from tests.cli.conftest import Run, Typed


@pytest.mark.parametrize("words", [("-",), ("generate",), ("--seed", "1"), ("--seed", "1", "-")])
def test_the_prompt_may_be_piped_in(typed: Typed, words: tuple[str, ...]) -> None:
    assert typed(*words, stdin="a sheep,\nand 羊\r\n").prompt == "a sheep,\nand 羊"


@pytest.mark.parametrize(
    ("stdin", "complaint"),
    [("", "prompt is empty"), ("\n", "prompt is empty"), (b"\xff", "UTF-8"), ("x" * 90_000, "cha")],
)
def test_what_is_piped_in_is_checked(run: Run, stdin: str | bytes, complaint: str) -> None:
    result = run("-", stdin=stdin)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(UsageError, match="no prompt"):
        read_prompt(None)


def test_a_closed_standard_input_holds_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="no prompt"):
        read_prompt("-")
