"""What every executor must do; a test module derives from `ExecutorConformance`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sheepgen.events import RunFailed, RunFinished, RunStarted, StepCompleted
from sheepgen.execution.executor import in_batches
from tests.samples import sample_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sheepgen.events import Event
    from sheepgen.execution.executor import Executor
    from sheepgen.resolved_request import ResolvedRequest


class ExecutorConformance:
    """Derive, and give the fixtures ``executor`` and ``model``.

    ``executor`` draws with the model called ``model``, which is the tiny one; a request with
    `UNDRAWABLE`'s width cannot be drawn by it.
    """

    UNDRAWABLE = 31

    @pytest.fixture
    def requests(self, model: str) -> list[ResolvedRequest]:
        first = sample_request(model=model, width=32, height=32, num_inference_steps=2)
        return [replace(first, seed=seed) for seed in (5, 3, 8)]

    def test_every_request_is_finished_once(
        self, executor: Executor, requests: list[ResolvedRequest]
    ) -> None:
        events = list(executor.run(alone(requests)))
        finished = [event for event in events if isinstance(event, RunFinished)]
        assert sorted(event.request.seed for event in finished) == [3, 5, 8]
        assert {event.request for event in finished} == set(requests)
        for event in finished:
            assert event.record.request == event.request
            assert event.image.size == (32, 32)

    def test_each_requests_events_come_in_order(
        self, executor: Executor, requests: list[ResolvedRequest]
    ) -> None:
        events = list(executor.run(alone(requests)))
        for request in requests:
            own = [event for event in events if event.request == request]
            assert [type(event) for event in own] == [
                RunStarted,
                StepCompleted,
                StepCompleted,
                RunFinished,
            ]
            steps = [event.step for event in own if isinstance(event, StepCompleted)]
            assert steps == [1, 2]

    def test_an_image_does_not_depend_on_its_company(
        self, executor: Executor, requests: list[ResolvedRequest]
    ) -> None:
        together = pictures(executor.run(alone(requests)))
        for request in requests:
            assert pictures(executor.run(alone([request]))) == {request: together[request]}

    def test_a_failure_stops_nobody_else(
        self, executor: Executor, requests: list[ResolvedRequest]
    ) -> None:
        bad = replace(requests[1], width=self.UNDRAWABLE)
        events = list(executor.run(alone([requests[0], bad, requests[2]])))
        (failed,) = (event for event in events if isinstance(event, RunFailed))
        assert failed.request == bad
        assert str(self.UNDRAWABLE) in str(failed.error)
        assert failed.elapsed_s >= 0
        finished = {event.request for event in events if isinstance(event, RunFinished)}
        assert finished == {requests[0], requests[2]}

    def test_requests_are_taken_when_work_on_them_begins(
        self, executor: Executor, requests: list[ResolvedRequest]
    ) -> None:
        taken: list[ResolvedRequest] = []

        def taking() -> Iterator[list[ResolvedRequest]]:
            for request in requests:
                taken.append(request)
                yield [request]

        with closing(executor.run(taking())) as events:
            assert taken == []
            first = next(events)
            assert first.request in taken
            for event in events:
                assert event.request in taken
                if isinstance(event, RunFinished):
                    break
            assert len(taken) < len(requests) + 1

    def test_closing_stops_the_work(
        self, executor: Executor, requests: list[ResolvedRequest]
    ) -> None:
        events = executor.run(alone(requests))
        next(events)
        events.close()
        assert list(events) == []

    def test_a_batch_finishes_each_of_its_requests_once(
        self, executor: Executor, requests: list[ResolvedRequest]
    ) -> None:
        batches = in_batches(requests, executor)
        finished = [event for event in executor.run(batches) if isinstance(event, RunFinished)]
        assert sorted(event.request.seed for event in finished) == [3, 5, 8]
        apart = {
            event.request: event.record
            for event in executor.run(alone(requests))
            if isinstance(event, RunFinished)
        }
        for event in finished:
            assert event.record.noise_sha256 == apart[event.request].noise_sha256

    def test_nothing_to_do_is_nothing_done(self, executor: Executor) -> None:
        assert list(executor.run(iter([]))) == []


def alone(requests: Iterable[ResolvedRequest]) -> Iterator[list[ResolvedRequest]]:
    return ([request] for request in requests)


def pictures(events: Iterator[Event]) -> dict[ResolvedRequest, bytes]:
    return {
        event.request: event.image.tobytes() for event in events if isinstance(event, RunFinished)
    }
