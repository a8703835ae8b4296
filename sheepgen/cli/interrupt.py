"""Ctrl-C while images are made: once to stop behind the current step, twice to stop at once."""

from __future__ import annotations

import signal
from contextlib import closing, contextmanager
from threading import Event as Flag
from typing import TYPE_CHECKING

from sheepgen.errors import Interrupted
from sheepgen.events import RunStarted, StepCompleted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType

    from sheepgen.events import Event

__all__ = ["stop_flag", "until_stopped"]


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


def until_stopped(events: Generator[Event], flag: Flag) -> Iterator[Event]:
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
