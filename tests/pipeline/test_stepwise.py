"""A blocking call becomes a generator, and ends with it."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.pipeline.stepwise import stepwise

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


def count(report: Callable[[int], None]) -> str:
    for number in range(3):
        report(number)
    return "done"


def test_what_is_reported_is_yielded_and_what_is_returned_is_returned() -> None:
    results = []

    def running() -> Generator[int, None, None]:
        results.append((yield from stepwise(count)))

    assert [*running()] == [0, 1, 2]
    assert results == ["done"]


def test_the_call_waits_while_a_report_is_looked_at() -> None:
    done: list[int] = []

    def call(report: Callable[[int], None]) -> None:
        for number in range(3):
            done.append(number)
            report(number)

    for number in stepwise(call):
        assert done == [*range(number + 1)]


def test_what_the_call_raises_is_raised() -> None:
    def call(report: Callable[[int], None]) -> None:
        report(1)
        raise ValueError("no more")

    running = stepwise(call)
    assert next(running) == 1
    with pytest.raises(ValueError, match="no more"):
        next(running)


def test_closing_ends_a_call_that_waits() -> None:
    cleaned = threading.Event()

    def call(report: Callable[[int], None]) -> None:
        try:
            report(1)
        finally:
            cleaned.set()

    before = threading.active_count()
    running = stepwise(call)
    next(running)
    running.close()
    assert cleaned.is_set()
    assert threading.active_count() == before


def test_an_exception_ends_a_call_that_computes() -> None:
    """As a second Ctrl-C does, which comes while the consumer waits for a step."""
    computing = threading.Event()

    def call(report: Callable[[int], None]) -> None:
        report(1)
        computing.set()
        while True:
            pass

    def interrupt(main: int) -> None:
        computing.wait()
        signal.pthread_kill(main, signal.SIGINT)

    before = threading.active_count()
    running = stepwise(call)
    assert next(running) == 1
    interrupter = threading.Thread(target=interrupt, args=(threading.get_ident(),))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        next(running)
    interrupter.join()
    assert threading.active_count() == before


def test_it_computes_with_this_threads_number_of_threads() -> None:
    def call(report: Callable[[int], None]) -> None:
        report(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert [*stepwise(call)] == [2]
    finally:
        torch.set_num_threads(before)
