"""Sweeps killed at any moment, and shared: nothing is lost, nothing is made twice.

Processes are forked from this one, which has loaded torch already, and kill themselves at the
n-th thing that they ask of the system (an "audit event" of Python: opening, renaming, removing),
so that a moment is a number and a failing one can be looked at again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from sheepgen.cli.app import app
from sheepgen.execution import local

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

IMAGES, KILLS = 60, 20
SYSTEM_EVENTS = ("open", "os.", "shutil.", "fcntl.", "pathlib.")


def fork(words: Sequence[str], *, kill_at: int | None = None) -> int:
    """Start a process that runs a command, and kills itself; return its number."""
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        if kill_at is not None:
            kill_at_event(kill_at)
        status = app(args=list(words), standalone_mode=False) or 0
    finally:
        os._exit(status)


def kill_at_event(number: int) -> None:
    left = number

    def count(event: str, _arguments: object) -> None:
        nonlocal left
        if event.startswith(SYSTEM_EVENTS):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def result(child: int) -> int:
    """Wait for a process; return its exit code, or the negative number of the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def files(folder: Path) -> dict[str, bytes]:
    """Return everything in a folder but the manifest, whose lines tell the time they took."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.jsonl"
    }


def entries(folder: Path) -> list[dict[str, object]]:
    """Return the manifest's lines, without the time they took, in the order of their keys."""
    lines = map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())
    return sorted(
        ({name: value for name, value in line.items() if name != "seconds"} for line in lines),
        key=lambda line: str(line["key"]),
    )


@pytest.fixture
def sweep_words(tiny_folder: Path) -> Callable[[Path, int], list[str]]:
    def words(folder: Path, images: int) -> list[str]:
        return [
            *("sweep", "a red sheep", "--model", str(tiny_folder), "--steps", "1"),
            *("--seeds", f"1-{images}", "--frames", "strip", "--device", "cpu", "-o", f"{folder}/"),
        ]

    return words


def test_a_sweep_that_is_killed_over_and_over_ends_like_any_other(
    tmp_path: Path, sweep_words: Callable[[Path, int], list[str]]
) -> None:
    killed, undisturbed = tmp_path / "a" / "sweep", tmp_path / "b" / "sweep"
    rng = random.Random(42)
    moments = [rng.randrange(20, 900) for _ in range(KILLS)]
    ended = [result(fork(sweep_words(killed, IMAGES), kill_at=moment)) for moment in moments]
    assert ended.count(-signal.SIGKILL) >= KILLS // 2, f"most come before the end: {ended}"
    assert set(ended) <= {0, -signal.SIGKILL}
    assert result(fork(sweep_words(killed, IMAGES))) == 0
    assert result(fork(sweep_words(undisturbed, IMAGES))) == 0
    assert files(killed) == files(undisturbed)
    assert entries(killed) == entries(undisturbed)
    assert len({entry["key"] for entry in entries(killed)}) == IMAGES


@pytest.mark.parametrize("moment", range(1, 120, 3))
def test_one_image_is_whole_whenever_the_kill_comes(tmp_path: Path, moment: int) -> None:
    from sheepgen.events import ImageSaved
    from tests.execution.test_run import REQUESTS, FakeExecutor, make

    folder = tmp_path / "folder"
    child = os.fork()
    if not child:
        try:
            kill_at_event(moment)
            make(folder, FakeExecutor(), frames="steps")
        finally:
            os._exit(0)
    assert result(child) in (0, -signal.SIGKILL)
    events = make(folder, FakeExecutor(), frames="steps")
    made = sum(isinstance(event, ImageSaved) for event in events)
    shutil.move(folder, tmp_path / "killed")
    make(folder, FakeExecutor(), frames="steps")
    assert files(tmp_path / "killed") == files(folder)
    assert entries(tmp_path / "killed") == entries(folder)
    assert made <= len(REQUESTS)


@pytest.mark.parametrize("moment", range(1, 31))
def test_a_kill_while_the_next_image_is_generated_loses_nothing(
    tmp_path: Path, moment: int
) -> None:
    from sheepgen.events import ImageSaved
    from tests.execution.test_run import FakeExecutor, make, making

    folder = tmp_path / "folder"
    child = os.fork()
    if not child:
        try:
            with (tmp_path / "announced").open("w") as announced:
                for number, event in enumerate(making(folder, FakeExecutor()), start=1):
                    if isinstance(event, ImageSaved):
                        print(event.request.seed, file=announced, flush=True)
                    if number == moment:
                        os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(0)
    assert result(child) == -signal.SIGKILL
    resumed = FakeExecutor()
    make(folder, resumed)
    saved = [int(line) for line in (tmp_path / "announced").read_text().split()]
    assert resumed.ran == [seed for seed in (1, 2, 3) if seed not in saved]
    shutil.move(folder, tmp_path / "killed")
    make(folder, FakeExecutor())
    assert files(tmp_path / "killed") == files(folder)
    assert entries(tmp_path / "killed") == entries(folder)


def test_two_processes_share_a_sweep(
    tmp_path: Path, sweep_words: Callable[[Path, int], list[str]]
) -> None:
    children = [fork(sweep_words(tmp_path / "sweep", IMAGES)) for _ in range(2)]
    assert list(map(result, children)) == [0, 0]
    keys = [entry["key"] for entry in entries(tmp_path / "sweep")]
    assert len(keys) == len(set(keys)) == IMAGES
    assert local is not None, "torch is loaded before the forks, so that they are quick"
