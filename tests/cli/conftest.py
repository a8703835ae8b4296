"""Commands run in this process, in an empty folder, behind the same boundary as in a shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import pytest
import typer
from typer.testing import CliRunner

from sheepgen.cli.app import app
from sheepgen.execution import plan

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from sheepgen.request import GenerationRequest

Run = Callable[..., "Result"]
Configure = Callable[[str], "Path"]
Typed = Callable[..., "GenerationRequest"]


@pytest.fixture
def run(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Return a function that runs a command line, given as words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    # What --offline sets is for the whole process; setting it here has it undone behind the test.
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def run(*words: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, words, input=stdin)

    return run


@pytest.fixture
def typed(run: Run, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Return a function that tells which request a command line stands for, and stops there."""
    seen: list[GenerationRequest] = []

    def stop(request: GenerationRequest, *_: object, **__: object) -> NoReturn:
        seen.append(request)
        raise typer.Exit

    monkeypatch.setattr(plan, "plan_run", stop)

    def typed(*words: str, stdin: str | None = None) -> GenerationRequest:
        result = run(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return seen.pop()

    return typed


@pytest.fixture
def configure(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Configure:
    """Return a function that writes the user's config.toml, elsewhere, and returns its folder."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))

    def configure(text: str) -> Path:
        (folder / "config.toml").write_text(text)
        monkeypatch.setenv("SHEEPGEN_CONFIG", str(folder / "config.toml"))
        return folder

    return configure
