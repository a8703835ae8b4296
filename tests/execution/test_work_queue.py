from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from sheepgen.errors import OutputError
from sheepgen.events import RunFailed
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output.atomic import prepare_folder, remove_leftovers, staging_folder
from sheepgen.output.locks import lock_folder
from sheepgen.shard import Shard
from tests.samples import sample_request, sample_saved

ROOT = Path(__file__).parents[2]

HOLD_A_CLAIM = """
import sys
from pathlib import Path
from sheepgen.output.atomic import staging_folder
from sheepgen.execution.work_queue import WorkQueue

folder = Path(sys.argv[1])
with WorkQueue(folder) as queue, staging_folder(folder) as staging:
    (staging / "image").write_bytes(b"half")
    print(queue.claim("a"), flush=True)
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
    assert process.stdout.readline() == "claimed\n"
    return process


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_image_is_claimed_once_and_then_done(tmp_path: Path) -> None:
    with WorkQueue(tmp_path / "new") as queue:
        assert queue.claim("a") == "claimed"
        queue.record("a", sample_saved(queue.folder / "sub" / "a.png"))
        assert queue.claim("a") == "done"
        assert queue.manifest.is_intact("a")
        entry = queue.manifest.entry("a")
        assert entry is not None
        assert (entry["status"], entry["path"], entry["frames"]) == ("done", "sub/a.png", None)
        assert queue.done_entry("a") == {**entry, "path": str(queue.folder / "sub" / "a.png")}
    assert names(tmp_path / "new") == {"sub", "manifest.jsonl", ".sheepgen.lock"}


def test_a_failed_image_can_be_claimed_again(tmp_path: Path) -> None:
    with WorkQueue(tmp_path) as queue:
        assert queue.claim("a") == "claimed"
        error = MemoryError("all of it")
        queue.record("a", RunFailed(request=sample_request(), error=error, elapsed_s=0.5))
        assert queue.claim("a") == "claimed"


def test_what_is_not_recorded_is_given_up_in_the_end(tmp_path: Path) -> None:
    with WorkQueue(tmp_path) as queue:
        assert queue.claim("a") == "claimed"
    with WorkQueue(tmp_path) as queue:
        assert queue.claim("a") == "claimed"
    assert names(tmp_path) == {".sheepgen.lock"}


def test_another_process_is_kept_off_until_it_is_recorded(tmp_path: Path) -> None:
    process = other_process(tmp_path)
    with WorkQueue(tmp_path) as queue:
        assert queue.claim("a") == "taken"
        assert queue.claim("b") == "claimed"
        process.communicate("")
        assert queue.claim("a") == "claimed"


def test_a_killed_process_leaves_nothing_behind(tmp_path: Path) -> None:
    process = other_process(tmp_path)
    with WorkQueue(tmp_path):
        left = names(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(left) == 3, "what a living process holds stays: the lock, a claim, a staging folder"
    with WorkQueue(tmp_path) as queue:
        assert names(tmp_path) == {".sheepgen.lock"}
        assert queue.claim("a") == "claimed"


def test_links_are_none_of_ours(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".sheepgen-0123").symlink_to(elsewhere, target_is_directory=True)
    (folder / ".claim-0123").symlink_to(elsewhere / "file")
    with WorkQueue(folder):
        pass
    assert names(elsewhere) == set()
    assert names(folder) == {".sheepgen-0123", ".claim-0123", ".sheepgen.lock"}


def put(path: Path, content: str = "precious") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_what_only_looks_like_ours_is_left_alone(tmp_path: Path) -> None:
    sixteen, sixty_four = "0123456789abcdef", "ab" * 32
    kept = [
        put(tmp_path / ".sheepgen-models" / "a"),
        put(tmp_path / ".sheepgen-models" / "lock", ""),
        put(tmp_path / f".sheepgen-{sixteen}" / "no lock"),
        put(tmp_path / f".sheepgen-{sixteen.upper()}" / "lock", ""),
        put(tmp_path / f".sheepgen-{sixteen}0" / "lock", ""),
        put(tmp_path / ".claim-insurance.txt"),
        put(tmp_path / ".claim-0123", ""),
        put(tmp_path / f".claim-{sixty_four}"),
        put(tmp_path / f".claim-{sixty_four}.txt", ""),
    ]
    with WorkQueue(tmp_path):
        pass
    assert [path for path in kept if not path.exists()] == []


def test_a_lock_that_is_a_link_is_none_of_ours(tmp_path: Path) -> None:
    kept = put(tmp_path / ".sheepgen-0123456789abcdef" / "a")
    (kept.parent / "lock").symlink_to(put(tmp_path / "elsewhere", ""))
    with WorkQueue(tmp_path):
        pass
    assert kept.exists()


def test_leftovers_are_looked_for_only_where_images_go(tmp_path: Path) -> None:
    folder, left = tmp_path / "folder", ".sheepgen-0123456789abcdef"
    with WorkQueue(folder) as queue:
        queue.record("a", sample_saved(folder / "recorded" / "a.png"))
    for place in ("", "planned", "recorded", "added", "project"):
        put(folder / place / left / "lock", "")
        put(folder / place / left / "image", "half")
    with WorkQueue(folder, [folder / "planned"]) as queue:
        queue.add_folder(folder / "added")
    assert [path.parent.name for path in folder.rglob(left)] == ["project"]


def test_no_line_of_a_manifest_leads_outside(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    left = put(outside / ".sheepgen-0123456789abcdef" / "lock", "")
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    paths = ["../outside/a.png", f"{outside}/a.png", "link/a.png"]
    lines = [json.dumps({"key": path, "status": "done", "path": path}) for path in paths]
    put(folder / "manifest.jsonl", "\n".join(lines) + "\n")
    with WorkQueue(folder):
        pass
    assert left.exists()
    assert names(outside) == {left.parent.name}


def test_half_a_removal_is_finished_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = tmp_path / ".sheepgen-0123456789abcdef"
    put(staging / "lock", "")
    put(staging / "frames" / "step_000.png")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", refuse)
        remove_leftovers(tmp_path)
    assert (staging / "lock").exists(), "the lock goes last: it says that the rest may go"
    remove_leftovers(tmp_path)
    assert not staging.exists()


def refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_without_locks_one_process_works_and_nothing_is_taken_for_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(_handle: int, _operation: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    staging = put(tmp_path / ".sheepgen-0123456789abcdef" / "lock", "")
    claim = put(tmp_path / f".claim-{'ab' * 32}", "")
    monkeypatch.setattr(fcntl, "flock", flock)
    before = names(tmp_path)
    assert not prepare_folder(tmp_path)
    assert names(tmp_path) == before
    with WorkQueue(tmp_path) as queue, staging_folder(tmp_path):
        assert queue.claim("a") == "claimed"
        queue.record("a", sample_saved(tmp_path / "a.png"))
        assert queue.claim("a") == "done"
    assert names(tmp_path) - {".sheepgen.lock"} == {
        *("a.png", "manifest.jsonl"),
        *(staging.parent.name, claim.name),
    }


def test_a_folder_with_locks_is_known_even_while_another_has_its_lock(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        assert prepare_folder(tmp_path)
    assert prepare_folder(tmp_path)


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a folder"):
        WorkQueue(tmp_path / "file" / "folder")


def test_shards_hold_their_own_claims_and_any_run_clears_up_after_them(tmp_path: Path) -> None:
    abandoned = put(tmp_path / f".claim-2-of-8-{'ab' * 32}", "")
    mine, others = Shard(1, 2), Shard(2, 2)
    with WorkQueue(tmp_path, shard=mine) as queue, WorkQueue(tmp_path, shard=mine) as second:
        assert not abandoned.exists()
        assert queue.claim("a") == "claimed"
        assert second.claim("a") == "taken"
        with lock_folder(tmp_path), lock_folder(tmp_path, shard=str(others)):
            queue.record("a", sample_saved(tmp_path / "a.png"))  # waits for none of them
        assert second.claim("a") == "done"
        with WorkQueue(tmp_path) as whole:
            assert whole.claim("a") == "done"
            assert second.claim("b") == "claimed"
    assert names(tmp_path) == {
        *("a.png", "manifest-1-of-2.jsonl", ".sheepgen.lock"),
        *(".sheepgen-1-of-2.lock", ".sheepgen-2-of-2.lock", ".sheepgen-2-of-8.lock"),
    }
