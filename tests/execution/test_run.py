"""Manifest, claims and sinks together, with an executor that draws nothing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import NonFiniteError, OutputError
from sheepgen.events import ImageSaved, RunFailed, RunFinished, Waiting
from sheepgen.execution.run import make_images
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output import atomic
from sheepgen.output import images as output_images
from sheepgen.output.artifacts import FRAME_CHOICES
from sheepgen.output.images import OutputLayout
from sheepgen.output.template import parse_output
from tests.samples import sample_events, sample_request, sample_saved

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from sheepgen.events import Event, RunEvent
    from sheepgen.resolved_request import ResolvedRequest

REQUESTS = {sample_request(seed=seed): f"key{seed}" for seed in (1, 2, 3)}


@dataclass
class FakeExecutor:
    """Yields sample events; fails for the seeds it is told."""

    failing: tuple[int, ...] = ()
    together: int = 1
    ran: list[int] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)

    def _taken(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Iterator[ResolvedRequest]:
        for batch in batches:
            self.batches.append([request.seed for request in batch])
            yield from batch

    def batch_size(self, _: ResolvedRequest) -> int:
        return self.together

    def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
        for request in self._taken(batches):
            self.ran.append(request.seed)
            for event in sample_events(request):
                yield event
                if request.seed in self.failing:
                    error = NonFiniteError("NaN.", "Use fp32.")
                    yield RunFailed(request=request, error=error, elapsed_s=0.5)
                    break


def make(
    folder: Path, executor: FakeExecutor, *, frames: str = "none", overwrite: bool = True
) -> list[RunEvent]:
    """Make all images, with no other process at work."""
    events = list(making(folder, executor, frames=frames, overwrite=overwrite))
    assert not any(isinstance(event, Waiting) for event in events)
    return events


def making(
    folder: Path, executor: FakeExecutor, *, frames: str = "none", overwrite: bool = True
) -> Iterator[RunEvent]:
    template = parse_output(f"{folder}/{{seed}}.png", several=True)
    layout = OutputLayout(template=template, frames=FRAME_CHOICES[frames], overwrite=overwrite)
    with WorkQueue(folder) as queue:
        targets = {request: template.target(request, 1, key) for request, key in REQUESTS.items()}
        yield from make_images(REQUESTS, executor, queue, layout, targets)


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_every_image_is_saved_and_recorded(tmp_path: Path) -> None:
    events = make(tmp_path, FakeExecutor(), frames="steps")
    saved = [event for event in events if isinstance(event, ImageSaved)]
    entries = manifest(tmp_path)
    assert [entry["key"] for entry in entries] == list(REQUESTS.values())
    for event, entry in zip(saved, entries, strict=True):
        assert entry["status"] == "done"
        assert tmp_path / entry["path"] == event.path
        assert entry["frames"] == f"{event.request.seed}_frames"
        assert (tmp_path / entry["filmstrip"]).is_file()
        assert entry["animation"] is None
        assert entry["sha256"] == hashlib.sha256(event.path.read_bytes()).hexdigest()
        assert entry["request"]["seed"] == event.request.seed
        assert entry["environment"]["dtype"] == "fp32"


def test_made_again_it_makes_nothing(tmp_path: Path) -> None:
    make(tmp_path, FakeExecutor())
    before = (tmp_path / "manifest.jsonl").read_bytes()
    again = FakeExecutor()
    assert make(tmp_path, again) == []
    assert again.ran == []
    assert (tmp_path / "manifest.jsonl").read_bytes() == before


def test_what_is_missing_changed_or_torn_is_made_again(tmp_path: Path) -> None:
    make(tmp_path, FakeExecutor())
    whole = {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}
    (tmp_path / "1.png").unlink()
    (tmp_path / "3.png").write_bytes(whole["3.png"][:100])
    again = FakeExecutor()
    make(tmp_path, again)
    assert again.ran == [1, 3]
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.png")} == whole


def test_a_failure_is_recorded_and_tried_again_next_time(tmp_path: Path) -> None:
    make(tmp_path, FakeExecutor(failing=(2,)))
    assert [entry["status"] for entry in manifest(tmp_path)] == ["done", "failed", "done"]
    assert manifest(tmp_path)[1]["error"]["message"] == "NaN."
    again = FakeExecutor()
    make(tmp_path, again)
    assert again.ran == [2]
    assert [entry["status"] for entry in manifest(tmp_path)][3:] == ["done"]


def test_a_full_disk_stops_at_once_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_synced = atomic.write_synced
    room = [2]

    def full(path: Path, data: bytes) -> None:
        if room[0] == 0:
            path.write_bytes(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= 1
        write_synced(path, data)

    stopped, resumed = FakeExecutor(), FakeExecutor()
    with monkeypatch.context() as patched:
        patched.setattr(output_images, "write_synced", full)
        with pytest.raises(OutputError, match="the disk is full"):
            make(tmp_path, stopped)
    assert stopped.ran == [1, 2, 3]
    assert [entry["key"] for entry in manifest(tmp_path)] == ["key1", "key2"]
    make(tmp_path, resumed)
    assert resumed.ran == [3]
    assert {path.name for path in tmp_path.iterdir()} == {
        ".sheepgen.lock",
        "manifest.jsonl",
        "1.png",
        "2.png",
        "3.png",
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("renames", range(13))
def test_what_a_killed_process_moved_into_place_is_replaced_and_nothing_counted_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    child = os.fork()
    if not child:
        rename, left = Path.rename, [renames]

        def killed(path: Path, target: Path) -> Path:
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", killed)
        try:
            make(tmp_path, FakeExecutor(), frames="gif", overwrite=False)
        finally:
            os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == (9 if renames < 12 else 0)
    make(tmp_path, FakeExecutor(), frames="gif", overwrite=False)
    endings = (".png", "_frames", "_filmstrip.png", "_animation.gif")
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{seed}{ending}" for seed in (1, 2, 3) for ending in endings),
        *(".sheepgen.lock", "manifest.jsonl"),
    }


def test_a_strangers_file_that_came_while_drawing_is_kept(tmp_path: Path) -> None:
    class Slow(FakeExecutor):
        def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
            for event in super().run(batches):
                if isinstance(event, RunFinished) and event.request.seed == 2:
                    (tmp_path / "2_filmstrip.png").write_bytes(b"mine")
                yield event

    make(tmp_path, Slow(), overwrite=False)
    assert [entry["path"] for entry in manifest(tmp_path)] == ["1.png", "2_2.png", "3.png"]
    assert (tmp_path / "2_filmstrip.png").read_bytes() == b"mine"
    assert not (tmp_path / "2.png").exists()
    again = FakeExecutor()
    make(tmp_path, again, overwrite=False)
    assert again.ran == []


def test_others_are_waited_for_and_stood_in_for(tmp_path: Path) -> None:
    finisher, dying = WorkQueue(tmp_path), WorkQueue(tmp_path)
    assert finisher.claim("key1") == "claimed"
    assert dying.claim("key3") == "claimed"
    waits: list[list[int]] = []
    executor = FakeExecutor()
    for event in making(tmp_path, executor):
        if isinstance(event, Waiting):
            waits.append([request.seed for request in event.requests])
            if len(waits) == 1:  # the other process finishes its image
                finisher.record("key1", sample_saved(tmp_path / "other.png"))
            if len(waits) == 2:  # and the third one dies
                dying.__exit__()
    assert executor.ran == [2, 3]
    assert waits == [[1, 3], [3]]
    assert [entry["key"] for entry in manifest(tmp_path)] == ["key2", "key1", "key3"]


def test_images_that_go_together_are_claimed_together(tmp_path: Path) -> None:
    with WorkQueue(tmp_path) as other:
        assert other.claim("key2") == "claimed"
        executor = FakeExecutor(together=2)
        for event in making(tmp_path, executor):
            if isinstance(event, Waiting):
                other.__exit__()
    assert executor.batches == [[1], [3], [2]]
    assert {entry["key"] for entry in manifest(tmp_path)} == set(REQUESTS.values())
    again = FakeExecutor(together=2)
    make(tmp_path / "fresh", again)
    assert again.batches == [[1, 2], [3]]
