"""Ctrl-C: stops at once until the first image starts; then after the step, or at once if repeated.

`sheepgen.__main__` imports this first, because Ctrl-C before it would show a traceback. So nothing
is imported here that takes time.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from threading import Event as Flag
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

_EXIT_CODE = 130
"""Of `sheepgen.errors.Interrupted`."""


def exit_on_interrupt() -> None:
    """Make Ctrl-C end the program on the spot, until another function here takes over.

    While libraries are being imported an exception would not do: they test whether others can be
    imported, mistake `KeyboardInterrupt` for a failure, and continue for a long time before they
    fail. Nothing is lost, because nothing is written before the first image starts. Here and below,
    a process that was started with Ctrl-C ignored, as shells do in the background, keeps ignoring
    it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit_now)


def _exit_now(_signal: int, _frame: FrameType | None) -> None:
    """Exit without unwinding; show the cursor again, which a spinner hides."""
    screen = os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"
    # Not through sys.stderr, in the middle of whose own write this may be.
    with suppress(OSError):
        os.write(2, (b"\r\x1b[K\x1b[?25h" if screen else b"") + b"Interrupted.\n")
    os._exit(_EXIT_CODE)


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Make Ctrl-C raise `KeyboardInterrupt` meanwhile, so that partial files are removed."""
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

    Afterwards Ctrl-C raises `KeyboardInterrupt` even if `exit_on_interrupt` came before, because
    now there are files to finish.

    Args:
        flag: What the first one sets.
        console: Where the first one is acknowledged.
    """
    from threading import Thread

    from sheepgen.cli.console import note

    text = "Stopping after this step; Ctrl-C again stops at once."
    # A console that is interrupted while it prints would print the same text again. Each thread
    # has its own buffer.
    saying = Thread(target=note, args=(console, text), daemon=True)

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()
        saying.start()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler if before is _exit_now else before)
        if saying.ident is not None:
            saying.join()


def stopped_by_interrupts(
    events: Generator[_T], console: Console, flag: Flag | None = None
) -> Generator[_T]:
    """Pass events on; once the first image has started, Ctrl-C stops them after the current step.

    While images that are finished are still being saved, steps go on.

    Args:
        events: Of a run, with an `ImageSaved` after every `RunFinished`.
        console: Where the first Ctrl-C is acknowledged.
        flag: Set by the first Ctrl-C.

    Raises:
        Interrupted: After the first Ctrl-C, when the step is done.
        KeyboardInterrupt: With the second one, at once.
    """
    from threading import Event

    from sheepgen.errors import Interrupted
    from sheepgen.events import ImageSaved, RunFinished, RunStarted
    from sheepgen.execution.run import stop_message

    flag = flag or Event()
    with closing(events), ExitStack() as taken_over:
        begun, unsaved = False, 0
        for event in events:
            if isinstance(event, RunStarted) and not begun:
                taken_over.enter_context(interrupts_set(flag, console))
                begun = True
            yield event
            unsaved += isinstance(event, RunFinished) - isinstance(event, ImageSaved)
            if flag.is_set() and not unsaved and (message := stop_message(event)):
                raise Interrupted(message)


def taken_at_once(items: Iterator[_T], flag: Flag) -> Iterator[_T]:
    """Pass items on; while the next one is awaited, Ctrl-C stops at once.

    Raises:
        Interrupted: If the flag was set before.
        KeyboardInterrupt: With Ctrl-C.
    """
    from sheepgen.errors import Interrupted

    while True:
        with interrupts_raised():
            if flag.is_set():
                raise Interrupted("Stopped between two images.")
            item = next(items, None)
        if item is None:
            return
        yield item
