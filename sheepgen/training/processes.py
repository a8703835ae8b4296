"""Work that is shared among processes, each of which is sent once what all of it needs."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.pool import AsyncResult

__all__ = ["in_processes"]

Shared = TypeVar("Shared")
Done = TypeVar("Done")


def in_processes(
    work: Callable[[Shared, int], Done],
    shared: Shared,
    numbers: Sequence[int],
    processes: int | None = None,
) -> Iterator[Done]:
    """Yield what work makes of each number, in order.

    Args:
        work: A function of a module; it is given ``shared`` and a number, and what it raises is
            raised here.
        shared: What all of the work needs; it is sent to every process.
        numbers: What is worked on.
        processes: How many work at a time; all processors by default.
    """
    if not numbers:
        return
    processes = processes or os.cpu_count() or 1
    with multiprocessing.Pool(processes, _start, (work, shared)) as pool:
        ahead: deque[AsyncResult[Done]] = deque()
        for number in numbers:
            ahead.append(pool.apply_async(_work, (number,)))
            # Workers that are faster than who takes their results would fill the memory.
            if len(ahead) > 2 * processes:
                yield ahead.popleft().get()
        while ahead:
            yield ahead.popleft().get()


_job: tuple[Callable[[Any, int], Any], Any]
"""What a process was started with."""


def _start(work: Callable[[Any, int], Any], shared: object) -> None:
    global _job
    _job = (work, shared)


def _work(number: int) -> Any:  # noqa: ANN401
    work, shared = _job
    return work(shared, number)
