from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sheepgen
from sheepgen.cli.app import COMMANDS
from sheepgen.cli.command_line import with_default_command

if TYPE_CHECKING:
    from tests.cli.conftest import Run, Typed

ROOT = Path(__file__).parents[2]


def test_a_prompt_may_be_a_commands_name(typed: Typed) -> None:
    for name in COMMANDS:
        assert typed("generate", name).prompt == name


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in COMMANDS)
    assert result.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_three_examples_that_work(run: Run, command: str) -> None:
    shown = run(command, "--help").stdout
    examples = shown.partition("Examples:")[2].strip().splitlines()
    assert len(examples) == 3
    for example in examples:
        words = shlex.split(example)
        words = words[words.index("sheepgen") + 1 :]
        words = words[: words.index("|")] if "|" in words else words
        name, *rest = with_default_command(words, COMMANDS)
        options = run(name, "--help").stdout
        assert all(f"{word} " in options for word in rest if word.startswith("-")), example


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_shows_no_types_of_python(run: Run, command: list[str]) -> None:
    assert not re.search("<[a-z]", run(*command, "--help").stdout)


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"sheepgen {sheepgen.__version__}\n"


def sheepgen_process(*words: str, stdin: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sheepgen", *words],
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_alone_without_a_pipe_it_shows_help() -> None:
    result = sheepgen_process(stdin=subprocess.DEVNULL)
    assert result.returncode == 0
    assert "Usage: sheepgen" in result.stdout


def test_alone_behind_a_pipe_it_reads_the_prompt(tmp_path: Path) -> None:
    (tmp_path / "blank").write_text(" \n")
    with (tmp_path / "blank").open() as file:
        result = sheepgen_process(stdin=file.fileno())
    assert result.returncode == 2
    assert "The prompt is empty" in result.stderr
