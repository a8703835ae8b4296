from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import typer

from sheepgen.cli.console import cli_errors, error_console, note, output_console, write_data
from sheepgen.errors import Interrupted, ModelError, OutputError, SheepgenError, UsageError
from sheepgen.metadata.image_file import encode_image
from tests.samples import sample_image, sample_record

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


def in_shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which ``sheepgen`` is this one."""
    return subprocess.run(
        ["bash", "-c", command.replace("sheepgen", f"'{sys.executable}' -m sheepgen")],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@full_disk
@pytest.mark.parametrize("words", ["schedulers", "models", "--help", "--version"])
def test_a_full_disk_behind_standard_output_is_said(words: str) -> None:
    result = in_shell(f"sheepgen {words} >/dev/full")
    assert result.returncode == 1
    assert b"no space left on device" in result.stderr.lower()
    assert b"Unexpected" not in result.stderr
    assert b"Exception ignored" not in result.stderr


@full_disk
@pytest.mark.parametrize("place", ["/dev/full", "&-"])
def test_errors_that_cannot_be_said_keep_their_code(place: str) -> None:
    assert in_shell(f"sheepgen show missing.png 2>{place}").returncode == 1
    assert in_shell(f"sheepgen show 2>{place}").returncode == 2
    assert in_shell(f"sheepgen models 2>{place}").returncode == 0


def test_notes_that_cannot_be_written_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    note(error_console(), "Generating on cpu.")
    monkeypatch.setattr(sys, "stderr", None)
    note(error_console(), "Generating on cpu.")


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_any_text_can_be_shown_in_any_locale(tmp_path: Path) -> None:
    record = sample_record(prompt="a 羊 at the café")
    (tmp_path / "x.png").write_bytes(encode_image(sample_image(), record, ".png"))
    for words in ("show", "show --format command", "show --json"):
        result = in_shell(f"sheepgen {words} {tmp_path}/x.png", **ASCII)
        assert result.returncode == 0, result.stderr
    assert (
        "a 羊 at the café" in in_shell(f"sheepgen show {tmp_path}/x.png", **ASCII).stdout.decode()
    )
    assert in_shell("sheepgen --help", **ASCII).returncode == 0


def test_a_prompt_in_utf_8_is_taken_in_any_locale(tmp_path: Path) -> None:
    words = f"'a sheep 羊' -n 'caf\u00e9' --dry-run --json -o {tmp_path}/x.png"
    result = in_shell(f"sheepgen {words}", **ASCII)
    assert result.returncode == 0, result.stderr
    (image,) = json.loads(result.stdout)["images"]
    request = image["request"]
    assert (request["prompt"], request["negative_prompt"]) == ("a sheep 羊", "café")
    invalid = in_shell("sheepgen $'a \\xff'", **ASCII)
    assert invalid.returncode == 2
    assert b"not valid UTF-8" in invalid.stderr


def test_what_libraries_say_without_end_is_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), cli_errors():
        raise ZeroDivisionError("missing:\n" + "a.name.of.a.tensor\n" * 10_000)
    assert len(capsys.readouterr().err) < 1500
