"""Share work among processes."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

__all__ = ["map_in_processes"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], processes: int | None = None
) -> Iterator[Result]:
    """Yield the result for each item, in order.

    Unlike `Executor.map`, it stays a few results ahead of the caller at most, so that the results
    of a long series need not fit in memory.

    Args:
        work: A function of a module, or a `partial` of one; sent to a process with each item.
        items: What to work on.
        processes: How many to use; as many as there are processors by default.

    Raises:
        BrokenProcessPool: If a process was killed.
        Exception: What ``work`` raises.
    """
    if not items:
        return
    processes = processes or os.cpu_count() or 1
    executor = ProcessPoolExecutor(processes)
    try:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(executor.submit(work, item))
            if len(pending) > 2 * processes:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
