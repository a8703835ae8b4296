from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.bench.works import WORKS
from sheepgen.cli import bench as command
from tests.bench.fakes import fake_work, reporting

if TYPE_CHECKING:
    from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def _fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put work that takes no time in place of the real one."""
    log = tmp_path / "log"
    works = {
        "good": fake_work(
            reporting(log, "ours", metric="step", against="theirs"),
            reporting(log, "theirs", metric="image"),
            reporting(log, "absent", packages=("no-such-package",)),
        ),
        "bad": fake_work(reporting(log, "silent", metric="load")),
    }
    monkeypatch.setattr(command, "WORKS", works)


@pytest.mark.usefixtures("_fakes")
def test_it_prints_a_table(run: Run) -> None:
    result = run("bench", "good", "--runs", "1", "--threads", "1")
    assert result.exit_code == 0, result.output
    for words in ("nothing: Nothing.", "ours", "not installed: no-such-package"):
        assert words in result.stdout
    assert "1 threads a process" in result.stderr


@pytest.mark.usefixtures("_fakes")
def test_json_goes_to_standard_output_and_to_a_file(run: Run, tmp_path: Path) -> None:
    result = run("bench", "good", "--runs", "1", "--json", "-q", "-o", "new/figures.json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((tmp_path / "new/figures.json").read_text())
    assert result.stderr == ""
    again = run("bench", "good", "--runs", "1", "-o", "new/figures.json")
    assert again.exit_code == 2
    assert "already exists" in again.stderr


@pytest.mark.usefixtures("_fakes")
def test_who_fails_makes_the_command_fail_in_the_end(run: Run) -> None:
    result = run("bench", "bad", "good", "--runs", "1")
    assert result.exit_code == 1
    assert "Failed: silent." in result.stderr
    assert "It did not report the time of a load." in result.stdout
    assert "theirs" in result.stdout


def test_what_there_is_can_be_listed(run: Run) -> None:
    result = run("bench", "--list")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in WORKS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], 'Unknown work "nothing".'),
        (["cold", "--runs", "0"], "--runs must be between 1 and 1,000, got 0."),
        (["cold", "--threads", "0"], "--threads must be between 1 and 1,024, got 0."),
        (["cold", "--steps", "5"], "--steps has no effect"),
        (["image-sd15", "--steps", "0"], "--steps must be between 1 and 1,000, got 0."),
        (["cold", "--plot", "cost.svg"], "--plot has no effect"),
        (["cost", "--plot", "cost.jpg"], "--plot must end in .svg or .png."),
        (["cold", "-o", "."], "already exists"),
    ],
)
def test_what_cannot_be_is_said_at_once(run: Run, words: list[str], said: str) -> None:
    result = run("bench", *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_commands_own_process_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from sheepgen.bench.run import run_bench\n"
        "from sheepgen.bench.table import result_table\n"
        "assert not {'torch', 'diffusers', 'numpy'} & sys.modules.keys()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=environment)
