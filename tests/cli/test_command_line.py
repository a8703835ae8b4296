from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from sheepgen.cli import command_line
from sheepgen.cli.app import COMMANDS
from sheepgen.cli.command_line import with_default_command

if TYPE_CHECKING:
    from tests.cli.conftest import Run, Typed


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["a sheep"], ["generate", "a sheep"]),
        (["--seed", "42", "a sheep"], ["generate", "--seed", "42", "a sheep"]),
        (["-"], ["generate", "-"]),
        (["--", "show"], ["generate", "--", "show"]),
        (["generate", "show"], ["generate", "show"]),
        (["show", "x.png"], ["show", "x.png"]),
        (["models"], ["models"]),
        (["--version"], ["--version"]),
        (["-h"], ["-h"]),
        (["--show-completion=bash"], ["--show-completion=bash"]),
        (["help"], ["--help"]),
        (["help", "sweep"], ["sweep", "--help"]),
    ],
)
def test_only_commands_are_commands(words: list[str], meant: list[str]) -> None:
    assert with_default_command(words, COMMANDS) == meant


@pytest.mark.parametrize(("piped", "words"), [(True, ["generate"]), (False, ["--help"])])
def test_nothing_typed_is_help_or_a_piped_prompt(
    monkeypatch: pytest.MonkeyPatch, piped: bool, words: list[str]
) -> None:
    monkeypatch.setattr(command_line, "_prompt_is_piped", lambda: piped)
    assert with_default_command([], COMMANDS) == words


def test_a_closed_standard_input_is_not_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert with_default_command([], COMMANDS) == ["--help"]


def test_help_is_a_word_too(run: Run) -> None:
    assert run("help").stdout == run("--help").stdout
    assert run("help", "sweep").stdout == run("sweep", "--help").stdout
    result = run("help", "me")
    assert result.exit_code == 2
    assert 'Unknown command "me".' in result.stderr
    assert ", ".join(COMMANDS) in result.stderr


@pytest.mark.parametrize(
    ("typed", "paste"),
    [
        ("a sheep riding", "sheepgen 'a sheep riding'"),
        ("generate a sheep", "sheepgen 'a sheep'"),
        ("a sheep --seed 3", "sheepgen 'a sheep' --seed 3"),
        ("--seed 3 a sheep", "sheepgen --seed 3 'a sheep'"),
        ("--seed 3 3 3", "sheepgen --seed 3 '3 3'"),
        ("3 3 --seed 3", "sheepgen '3 3' --seed 3"),
        ("a --seed 3 sheep", "sheepgen 'a sheep'"),
        ("sheep riding a bus", "sheepgen 'sheep riding a bus'"),
        ("sweep a sheep --seeds 1-3", "sheepgen sweep 'a sheep' --seeds 1-3"),
    ],
)
def test_a_prompt_without_quotes_is_answered_with_the_command(
    run: Run, typed: str, paste: str
) -> None:
    result = run(*typed.split())
    assert result.exit_code == 2
    assert "words, not in quotes" in result.stderr
    assert result.stderr.splitlines()[1:] == [f"Quote it: {paste}"]
    assert "quotes" not in run(*shlex.split(paste)[1:], "--steps", "0").stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("genrate", "sheepgen generate"),
        ("Models", "sheepgen models"),
        ("verfiy outputs/", "sheepgen verify outputs/"),
        ("shwo x.png", "sheepgen show x.png"),
        ("sweeep 'a {cat|dog}' --seeds 1-3", "sheepgen sweep 'a {cat|dog}' --seeds 1-3"),
        ("schedulars --json", "sheepgen schedulers --json"),
    ],
)
def test_a_misspelt_command_is_answered_with_the_command(run: Run, typed: str, meant: str) -> None:
    result = run(*shlex.split(typed))
    assert result.exit_code == 2
    assert f"Did you mean: {meant}" in result.stderr.splitlines()


@pytest.mark.parametrize("word", ["sheep", "snow", "rain", "trains", "shoe", "bath", "sweet"])
def test_a_word_that_may_be_drawn_is_a_prompt(typed: Typed, word: str) -> None:
    assert typed(word).prompt == word
    assert typed(word, "--seed", "3").prompt == word


def test_any_word_can_be_drawn(typed: Typed, run: Run) -> None:
    assert "To use it as the prompt: sheepgen generate genrate" in run("genrate").stderr
    assert typed("generate", "genrate").prompt == "genrate"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seed", "--seed"),
        ("sheep --sede 3", 'Unknown option "--sede".'),
        ("sheep --stesp 3", 'Unknown option "--stesp".'),
        ("sheep --overwrite=yes", "--overwrite"),
        ("show", "IMAGE"),
        ("show a.png b.png", "Too many arguments: b.png."),
        ("sheep --seed x", '--seed must be a whole number, got "x".'),
        ("sheep --guidance 3,5", '--guidance must be a number, got "3,5".'),
        ("sheep --frames some", 'steps, gif, webp or all, got "some".'),
        ("verify x.png --threads 0", "--threads must be between 1 and 256, got 0."),
        ("train --unet-steps 0", "--unet-steps must be at least 1, got 0."),
        ("show ''", "A path must not be empty."),
        ("verify x.png ''", "A path must not be empty."),
        ("rerun ''", "A path must not be empty."),
        ("train --workspace pyproject.toml", "pyproject.toml is a file, not a folder."),
    ],
)
def test_all_usage_errors_look_alike(run: Run, words: str, said: str) -> None:
    with open("pyproject.toml", "w", encoding="utf-8"):  # noqa: PTH123
        pass
    result = run(*shlex.split(words))
    assert result.exit_code == 2
    first, *more = result.stderr.splitlines()
    assert first.startswith("Error: ")
    assert said in first
    assert len(more) <= 1
    assert not {"│", "Usage:", "Input should be"} & {*result.stderr.split()}
    assert "Input should be" not in result.stderr


def test_the_nearest_option_is_named_first(run: Run) -> None:
    assert "Did you mean --steps or" in run("sheep", "--stesp", "3").stderr
