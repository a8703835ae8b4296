from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from sheepgen.cli.console import cli_errors, error_console, note, output_console, write_data
from sheepgen.errors import Interrupted, ModelError, OutputError, SheepgenError, UsageError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("Wrong.", "Do this."), 2, "Error: Wrong.\nDo this.\n"),
        (ModelError("No model."), 1, "Error: No model.\n"),
        (OutputError("[red]x\x1b[31m"), 1, "Error: [red]x[31m\n"),
        (Interrupted("Stopped."), 130, "Stopped.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (ZeroDivisionError("odd"), 1, "Error: Unexpected ZeroDivisionError: odd\n"),
    ],
)
def test_every_error_has_its_words_and_its_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    with pytest.raises(typer.Exit) as caught, cli_errors():
        raise error
    assert caught.value.exit_code == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(said)


def test_every_error_of_sheepgen_has_a_code() -> None:
    assert {kind.exit_code for kind in SheepgenError.__subclasses__()} == {1, 2, 130}


def test_verbose_keeps_the_traceback_of_what_nobody_expected() -> None:
    with pytest.raises(ZeroDivisionError), cli_errors(verbose=True):
        raise ZeroDivisionError


def test_leaving_early_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, cli_errors():
        raise typer.Exit(3)
    assert caught.value.exit_code == 3
    assert capsys.readouterr().err == ""


def test_data_goes_out_as_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_data("[red]x\udcff 羊 " + "long " * 40)
    assert capfdbinary.readouterr().out == b"[red]x\xff \xe7\xbe\x8a " + b"long " * 40 + b"\n"


def test_lines_are_not_wrapped_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    note(error_console(), "word " * 100)
    output_console().print("word " * 100)
    captured = capsys.readouterr()
    assert captured.err.count("\n") == captured.out.count("\n") == 1


def test_forced_colours_draw_no_bars_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert not error_console().is_interactive


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert error_console().color_system is not None
    monkeypatch.setenv("NO_COLOR", "1")
    assert error_console().no_color
    assert output_console().no_color


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"'{sys.executable}' -m sheepgen schedulers --json; echo $? >&2"
    result = subprocess.run(
        ["bash", "-c", f"({command}) | true"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.stderr in {"1\n", "0\n"}  # 0 if all was written before the reader left
