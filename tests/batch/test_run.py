"""Batches from Python; what the command adds is in tests/cli/test_batch.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sheepgen.batch.plan import JobAnswered, PlannedJob
from sheepgen.batch.run import JobStarted, run_batch, run_job
from sheepgen.errors import OutputError
from sheepgen.events import ImageSaved, RunFailed, RunFinished, Waiting
from sheepgen.execution.settings import RunSettings
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output.template import Target, parse_output
from sheepgen.prompt_reading import PromptReading
from sheepgen.verify import Comparison, verify_images
from tests.samples import sample_events, sample_request, sample_saved

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path
    from typing import NoReturn

    from sheepgen.batch.run import BatchEvent
    from sheepgen.events import Event
    from sheepgen.resolved_request import ResolvedRequest


class SampleExecutor:
    """Finishes every image, or fails each with an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def batch_size(self, _: ResolvedRequest) -> int:
        return 1

    def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
        for (request,) in batches:
            if self.error is None:
                yield from sample_events(request)
            else:
                yield RunFailed(request=request, error=self.error, elapsed_s=0.5)


def planned(folder: Path) -> PlannedJob:
    target = Target(folder=folder / "sub", stem="x", suffix=".png")
    reading = PromptReading(tokens=3, limit=16)
    return PlannedJob(
        line=1, id="a", request=sample_request(), reading=reading, key="k", target=target
    )


def job_events(
    folder: Path, queue: WorkQueue, error: Exception | None = None
) -> Generator[BatchEvent]:
    """Yield what happens to one job, resumed, and at last its answer."""
    layout = RunSettings().layout(parse_output(f"{folder}/", several=True))
    answered = yield from run_job(
        planned(folder), SampleExecutor(error), queue, layout, resume=True
    )
    yield answered


def test_an_image_that_another_process_is_generating_is_waited_for(tmp_path: Path) -> None:
    with WorkQueue(tmp_path) as other, WorkQueue(tmp_path) as ours:
        assert other.claim("k") == "claimed"
        events = job_events(tmp_path, ours)
        assert next(events) == Waiting(requests=(sample_request(),))
        assert next(events) == Waiting(requests=(sample_request(),))
        other.record("k", sample_saved(tmp_path / "sub" / "x.png"))
        (answered,) = events
    assert isinstance(answered, JobAnswered)
    assert not answered.failed
    assert answered.answer["cached"] is True
    assert answered.answer["path"] == f"{tmp_path}/sub/x.png"
    entry = json.loads((tmp_path / "manifest.jsonl").read_text())
    assert (entry["key"], entry["status"], entry["path"]) == ("k", "done", "sub/x.png")


def test_an_image_is_in_the_manifest_when_it_is_passed_on(tmp_path: Path) -> None:
    with WorkQueue(tmp_path) as queue:
        events = job_events(tmp_path, queue)
        assert next(events) == JobStarted(job=planned(tmp_path))
        saved = next(event for event in events if isinstance(event, ImageSaved | JobAnswered))
        assert isinstance(saved, ImageSaved)
        assert queue.claim("k") == "done"
        (answered,) = events
    assert isinstance(answered, JobAnswered)
    assert (answered.line, answered.answer["id"]) == (1, "a")
    assert answered.answer["path"] == str(saved.path)


def test_a_claim_is_given_up_with_a_failure(tmp_path: Path) -> None:
    with WorkQueue(tmp_path) as queue:
        *_, answered = job_events(tmp_path, queue, KeyError("x"))
        assert queue.claim("k") == "claimed"
    assert isinstance(answered, JobAnswered)
    assert answered.failed
    assert answered.answer["error"]["kind"] == "KeyError"
    assert json.loads((tmp_path / "manifest.jsonl").read_text())["status"] == "failed"


def test_a_claim_is_given_up_when_the_events_are_closed(tmp_path: Path) -> None:
    with WorkQueue(tmp_path) as queue:
        events = job_events(tmp_path, queue)
        assert not any(isinstance(next(events), RunFinished) for _ in range(3))
        assert list(tmp_path.glob(".claim-*"))
        events.close()
    assert not list(tmp_path.glob(".claim-*"))
    assert not list(tmp_path.glob("sub/*"))


def test_a_job_that_cannot_be_claimed_is_answered_before_the_batch_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim(_: str) -> NoReturn:
        raise OutputError("No space left on device.")

    with WorkQueue(tmp_path) as queue:
        monkeypatch.setattr(queue, "claim", claim)
        events = job_events(tmp_path, queue)
        answered = next(events)
        with pytest.raises(OutputError, match="No space"):
            next(events)
    assert isinstance(answered, JobAnswered)
    assert answered.answer["error"]["message"] == "No space left on device."


def test_a_batch_is_answered_line_by_line_and_verified(tmp_path: Path, tiny_folder: Path) -> None:
    jobs = ['{"prompt": "a red sheep", "seed": 7, "id": "first"}', "{", "a goat"]
    defaults = {"model": str(tiny_folder), "num_inference_steps": 1, "seed": 3}
    events = run_batch(enumerate(jobs, 1), f"{tmp_path}/{{seed}}.png", defaults=defaults)
    answers = [(event.line, event.answer) for event in events if isinstance(event, JobAnswered)]
    assert [(line, each["id"], each["status"], each.get("path")) for line, each in answers] == [
        (1, "first", "done", f"{tmp_path}/7.png"),
        (2, None, "failed", None),
        (3, None, "done", f"{tmp_path}/3.png"),
    ]
    outcomes = [*verify_images([tmp_path])]
    assert {outcome.path.name for outcome in outcomes} == {"3.png", "7.png"}
    assert all(isinstance(outcome, Comparison) and outcome.equal for outcome in outcomes)
