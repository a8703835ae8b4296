"""A blocking call that reports its progress to a callback, as a generator of what it reports.

The call runs in a thread of its own and waits while its reports are looked at: one of the two runs
at a time, so that nothing depends on how threads are scheduled.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["stepwise"]

_Step = TypeVar("_Step")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Reported(Generic[_Step]):
    step: _Step


@dataclass(frozen=True, slots=True)
class _Returned(Generic[_Result]):
    result: _Result


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


def stepwise(
    call: Callable[[Callable[[_Step], None]], _Result],
) -> Generator[_Step, None, _Result]:
    """Run a call, and yield what it reports.

    Closing the generator ends the call: where it waits, or else between two operations of torch.

    Args:
        call: Takes the function that it is to report to.

    Returns:
        What the call returned.

    Raises:
        BaseException: What the call raised.
    """
    reports: SimpleQueue[_Reported[_Step] | _Returned[_Result] | _Raised] = SimpleQueue()
    goes_on: SimpleQueue[bool] = SimpleQueue()

    def report(step: _Step) -> None:
        reports.put(_Reported(step))
        if not goes_on.get():
            raise SystemExit  # which ends a thread without a word

    def run() -> None:
        try:
            reports.put(_Returned(call(report)))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised below
            reports.put(_Raised(error))

    thread = Thread(target=run, name="sheepgen-pipeline", daemon=True)
    thread.start()
    has_ended = False
    try:
        while True:
            match reports.get():
                case _Reported(step):
                    yield step
                    goes_on.put(True)
                case _Returned(result):
                    has_ended = True
                    return result
                case _Raised(error):
                    has_ended = True
                    raise error
    finally:
        goes_on.put(False)
        if not has_ended and thread.is_alive():
            # A step of a large model can take minutes; Ctrl-C does not wait for it.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
            )
        thread.join()
