from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sheepgen.errors import OutputError
from sheepgen.events import RunFailed
from sheepgen.sweep.ledger import Ledger
from tests.samples import sample_request, sample_saved

ROOT = Path(__file__).parents[2]

HOLD_A_CLAIM = """
import sys
from pathlib import Path
from sheepgen.sinks.atomic import staging_folder
from sheepgen.sweep.ledger import Ledger

folder = Path(sys.argv[1])
with Ledger(folder) as ledger, staging_folder(folder) as staging:
    (staging / "image").write_bytes(b"half")
    print(ledger.claim("a"), flush=True)
    sys.stdin.read()
"""


def other_process(folder: Path) -> subprocess.Popen[str]:
    """Start a process that claims "a", and wait until it has."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_CLAIM, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "mine\n"
    return process


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_image_is_claimed_once_and_then_done(tmp_path: Path) -> None:
    with Ledger(tmp_path / "new") as ledger:
        assert ledger.claim("a") == "mine"
        ledger.record("a", sample_saved(ledger.folder / "sub" / "a.png"))
        assert ledger.claim("a") == "done"
        assert ledger.manifest.is_intact("a")
        entry = ledger.manifest.entry("a")
        assert entry is not None
        assert (entry["status"], entry["path"], entry["frames"]) == ("done", "sub/a.png", None)
        assert ledger.done_entry("a") == {**entry, "path": str(ledger.folder / "sub" / "a.png")}
    assert names(tmp_path / "new") == {"sub", "manifest.jsonl", ".sheepgen.lock"}


def test_a_failed_image_can_be_claimed_again(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        assert ledger.claim("a") == "mine"
        error = MemoryError("all of it")
        ledger.record("a", RunFailed(request=sample_request(), error=error, elapsed_s=0.5))
        assert ledger.claim("a") == "mine"


def test_what_is_not_recorded_is_given_up_in_the_end(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        assert ledger.claim("a") == "mine"
    with Ledger(tmp_path) as ledger:
        assert ledger.claim("a") == "mine"
    assert names(tmp_path) == {".sheepgen.lock"}


def test_another_process_is_kept_off_until_it_is_recorded(tmp_path: Path) -> None:
    process = other_process(tmp_path)
    with Ledger(tmp_path) as ledger:
        assert ledger.claim("a") == "busy"
        assert ledger.claim("b") == "mine"
        process.communicate("")
        assert ledger.claim("a") == "mine"


def test_a_killed_process_leaves_nothing_behind(tmp_path: Path) -> None:
    process = other_process(tmp_path)
    with Ledger(tmp_path):
        left = names(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(left) == 3, "what a living process holds stays: the lock, a claim, a staging folder"
    with Ledger(tmp_path) as ledger:
        assert names(tmp_path) == {".sheepgen.lock"}
        assert ledger.claim("a") == "mine"


def test_links_are_none_of_ours(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".sheepgen-0123").symlink_to(elsewhere, target_is_directory=True)
    (folder / ".claim-0123").symlink_to(elsewhere / "file")
    with Ledger(folder):
        pass
    assert names(elsewhere) == set()
    assert names(folder) == {".sheepgen-0123", ".claim-0123", ".sheepgen.lock"}


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="no folder"):
        Ledger(tmp_path / "file" / "folder")
