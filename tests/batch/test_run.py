"""What it takes several processes to bring about; the rest is in ``tests/cli/test_batch.py``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from sheepgen.batch.run import Batch, PlannedJob
from sheepgen.events import RunFailed
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output.template import Target
from tests.samples import sample_request, sample_saved

if TYPE_CHECKING:
    from pathlib import Path


def planned(folder: Path) -> PlannedJob:
    target = Target(folder=folder / "sub", stem="x", suffix=".png")
    return PlannedJob(line=1, id="a", request=sample_request(), key="k", target=target)


def no_wait() -> NoReturn:
    raise AssertionError("nobody else is at work")


def test_an_image_that_another_is_drawing_is_waited_for_and_answered(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []
    notes: list[str] = []
    with WorkQueue(tmp_path) as other, WorkQueue(tmp_path) as ours:
        assert other.claim("k") == "claimed"
        theirs = Batch(other, resume=True, tell=answers.append, note=notes.append, wait=no_wait)
        theirs._current = planned(tmp_path)

        def wait() -> None:
            theirs.finish(sample_saved(tmp_path / "sub" / "x.png"))

        batch = Batch(ours, resume=True, tell=answers.append, note=notes.append, wait=wait)
        drawn = list(batch.requests([(1, "{}")], lambda *_: planned(tmp_path)))
    assert drawn == []
    assert "cached" not in answers[0]
    assert answers[1] == answers[0] | {"cached": True}
    assert notes == [f"Line 1: there already, {tmp_path}/sub/x.png"]
    entry = json.loads((tmp_path / "manifest.jsonl").read_text())
    assert (entry["key"], entry["status"], entry["path"]) == ("k", "done", "sub/x.png")


def test_a_claim_is_given_up_with_a_failure(tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []
    with WorkQueue(tmp_path) as ledger:
        batch = Batch(ledger, resume=True, tell=answers.append, note=print, wait=no_wait)
        assert len(list(batch.requests([(1, "{}")], lambda *_: planned(tmp_path)))) == 1
        failed = RunFailed(request=sample_request(), error=KeyError("x"), elapsed_s=0.5)
        batch.finish(failed)
        assert ledger.claim("k") == "claimed"
    assert answers[0]["error"]["kind"] == "KeyError"
    assert json.loads((tmp_path / "manifest.jsonl").read_text())["status"] == "failed"
