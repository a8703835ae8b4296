"""Ctrl-C while images are made: once to stop behind the current step, twice to stop at once."""

from __future__ import annotations

import signal
from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Event as Flag
from typing import TYPE_CHECKING, TypeVar

from sheepgen.errors import Interrupted
from sheepgen.events import RunStarted, StepCompleted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from types import FrameType

    from sheepgen.events import Event
    from sheepgen.request import GenerationRequest
    from sheepgen.sweep.executor import Executor

WAIT_S = 0.2

__all__ = ["StoppableExecutor", "stop_flag", "taken_at_once", "until_stopped"]

_T = TypeVar("_T")


@contextmanager
def stop_flag(on_stop: Callable[[], None]) -> Iterator[Flag]:
    """Take over Ctrl-C: the first one sets the flag, the second raises `KeyboardInterrupt`.

    Args:
        on_stop: Called with the first one, to say that it was heard.
    """
    flag = Flag()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()
        on_stop()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


def until_stopped(events: Generator[Event], flag: Flag) -> Generator[Event]:
    """Pass events on until the flag is set; an image whose steps are all done is still finished.

    Raises:
        Interrupted: If the flag cut something short.
    """
    with closing(events):
        for event in events:
            yield event
            if not flag.is_set():
                continue
            match event:
                case RunStarted():
                    raise Interrupted("Stopped before the first step.")
                case StepCompleted() if event.step < event.total_steps:
                    raise Interrupted(f"Stopped after step {event.step} of {event.total_steps}.")


def taken_at_once(items: Iterator[_T], flag: Flag) -> Iterator[_T]:
    """Pass items on; Ctrl-C stops at once while the next is awaited, with no step to finish.

    Raises:
        Interrupted: If the flag was set before.
        KeyboardInterrupt: With Ctrl-C.
    """
    while True:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            if flag.is_set():
                raise Interrupted("Stopped between two images.")
            item = next(items, None)
        finally:
            signal.signal(signal.SIGINT, before)
        if item is None:
            return
        yield item


@dataclass(frozen=True, slots=True)
class StoppableExecutor:
    """An executor whose events go through `until_stopped`."""

    executor: Executor
    flag: Flag

    def batch_size(self, request: GenerationRequest) -> int:
        """Return how many such requests are best made together."""
        return self.executor.batch_size(request)

    def run(self, batches: Iterable[Sequence[GenerationRequest]]) -> Generator[Event]:
        """Make images until the flag is set."""
        return until_stopped(self.executor.run(batches), self.flag)

    def wait(self) -> None:
        """Let a moment pass.

        Raises:
            Interrupted: If the flag was set meanwhile.
        """
        if self.flag.wait(WAIT_S):
            raise Interrupted("Stopped while another process was drawing the rest.")
