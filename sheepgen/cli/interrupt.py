"""Ctrl-C: at once until drawing begins; then once to stop after the step, twice to stop at once."""

from __future__ import annotations

import os
import signal
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Event as Flag
from typing import TYPE_CHECKING, TypeVar

from sheepgen.errors import Interrupted
from sheepgen.events import RunStarted, StepCompleted, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from types import FrameType

    from sheepgen.events import Event, RunEvent
    from sheepgen.execution.executor import Executor
    from sheepgen.request import ResolvedRequest

WAIT_S = 0.2

__all__ = [
    "StoppableExecutor",
    "exit_on_interrupt",
    "interrupts_raised",
    "stop_flag",
    "taken_at_once",
    "until_stopped",
]

_T = TypeVar("_T")


def exit_on_interrupt() -> None:
    """Have Ctrl-C end the program on the spot, until `stop_flag` or `interrupts_raised` takes over.

    While libraries are being imported an exception would not do: they try whether others can be
    imported, take `KeyboardInterrupt` for a failure, and go on for a long time before they fail
    with it. Nothing is lost, for nothing is written before an image is begun. Here and below, a
    process that was started with Ctrl-C ignored, as shells do in the background, goes on
    ignoring it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_now)


def _exit_now(_signal: int, _frame: FrameType | None) -> None:
    """Leave without unwinding; put the cursor back that a spinner hides."""
    screen = os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"
    # Not through sys.stderr, in the middle of whose own write this may be.
    with suppress(OSError):
        os.write(2, (b"\r\x1b[K\x1b[?25h" if screen else b"") + f"{Interrupted()}\n".encode())
    os._exit(Interrupted.exit_code)


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Have Ctrl-C raise `KeyboardInterrupt` meanwhile, so that what is half written is removed."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def stop_flag(on_stop: Callable[[], None]) -> Iterator[Flag]:
    """Take over Ctrl-C: the first one sets the flag, the second raises `KeyboardInterrupt`.

    Afterwards it raises `KeyboardInterrupt` even where `exit_on_interrupt` came before, for now
    there are files to be finished.

    Args:
        on_stop: Called with the first one, to say that it was heard.
    """
    flag = Flag()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()
        on_stop()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is _exit_now else before)


_Event = TypeVar("_Event", "Event", "RunEvent")


def until_stopped(events: Generator[_Event], flag: Flag) -> Generator[_Event]:
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
                case Waiting():
                    raise Interrupted("Stopped while another process was generating the rest.")
                case _:
                    pass


def taken_at_once(items: Iterator[_T], flag: Flag) -> Iterator[_T]:
    """Pass items on; Ctrl-C stops at once while the next is awaited, with no step to finish.

    Raises:
        Interrupted: If the flag was set before.
        KeyboardInterrupt: With Ctrl-C.
    """
    while True:
        with interrupts_raised():
            if flag.is_set():
                raise Interrupted("Stopped between two images.")
            item = next(items, None)
        if item is None:
            return
        yield item


@dataclass(frozen=True, slots=True)
class StoppableExecutor:
    """An executor whose events go through `until_stopped`."""

    executor: Executor
    flag: Flag

    def batch_size(self, request: ResolvedRequest) -> int:
        """Return how many such requests are best made together."""
        return self.executor.batch_size(request)

    def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
        """Make images until the flag is set."""
        return until_stopped(self.executor.run(batches), self.flag)

    def wait(self) -> None:
        """Let a moment pass.

        Raises:
            Interrupted: If the flag was set meanwhile.
        """
        if self.flag.wait(WAIT_S):
            raise Interrupted("Stopped while another process was generating the rest.")
