"""Ctrl-C: at once until an image is begun; then once to stop after the step, twice at once.

`sheepgen.__main__` imports this before anything large, so nothing large is imported here.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, closing, contextmanager, suppress
from threading import Event as Flag
from typing import TYPE_CHECKING, TypeVar

from sheepgen.errors import Interrupted
from sheepgen.events import RunStarted

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import FrameType

    from rich.console import Console


__all__ = [
    "exit_on_interrupt",
    "interrupts_raised",
    "interrupts_set",
    "stopped_by_interrupts",
    "taken_at_once",
]

_T = TypeVar("_T")


def exit_on_interrupt() -> None:
    """Have Ctrl-C end the program on the spot, until one of the others here takes over.

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
def interrupts_set(flag: Flag, console: Console) -> Iterator[None]:
    """Take over Ctrl-C: the first one sets the flag, the second raises `KeyboardInterrupt`.

    Afterwards it raises `KeyboardInterrupt` even if `exit_on_interrupt` came before, for now
    there are files to be finished.

    Args:
        flag: What the first one sets.
        console: Where the first one is acknowledged.
    """
    from sheepgen.cli.console import note

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()
        note(console, "Stopping after this step; Ctrl-C again stops at once.")

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is _exit_now else before)


def stopped_by_interrupts(
    events: Generator[_T], console: Console, flag: Flag | None = None
) -> Generator[_T]:
    """Pass events on; once an image is begun, Ctrl-C stops them after the current step.

    Args:
        events: Of a run.
        console: Where the first Ctrl-C is acknowledged.
        flag: What the first Ctrl-C sets, for others who want to know.

    Raises:
        Interrupted: After the first Ctrl-C, when the step is done.
        KeyboardInterrupt: With the second one, at once.
    """
    from sheepgen.execution.run import until_stopped

    flag = flag or Flag()
    return until_stopped(_interrupts_set_once_begun(events, flag, console), flag)


def _interrupts_set_once_begun(
    events: Generator[_T], flag: Flag, console: Console
) -> Generator[_T]:
    with closing(events), ExitStack() as taken_over:
        begun = False
        for event in events:
            if isinstance(event, RunStarted) and not begun:
                taken_over.enter_context(interrupts_set(flag, console))
                begun = True
            yield event


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
