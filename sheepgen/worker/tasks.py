"""What clients wait for: questions first, then one batch of each client in turn.

Each client waits for its answer before it asks again, so the order in which they come is fair.
"""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.worker.messages import BatchSize, Call

if TYPE_CHECKING:
    from sheepgen.worker.messages import Message
    from sheepgen.worker.session import Session

__all__ = ["Task", "Tasks"]


class Task(NamedTuple):
    """A message, and who waits for its answer."""

    session: Session
    message: Message


class Tasks:
    """A queue that many threads, and signal handlers, put in and one thread takes from."""

    def __init__(self) -> None:
        self._questions: deque[Task] = deque()
        self._batches: deque[Task] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()  # one for each task, and one at the end

    def put(self, task: Task) -> None:
        """Add what a client waits for."""
        is_question = isinstance(task.message, Call | BatchSize)
        (self._questions if is_question else self._batches).append(task)
        self._bell.put(None)

    def close(self) -> None:
        """End the wait for the next task; this may be called in a signal handler."""
        self._bell.put(None)

    def next(self) -> Task | None:
        """Wait for a task and take it; return None if there is none and it was closed."""
        self._bell.get()
        return next((line.popleft() for line in (self._questions, self._batches) if line), None)

    def next_question(self) -> Task | None:
        """Take a question if there is one."""
        if not self._questions:
            return None
        self._bell.get()
        return self._questions.popleft()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._questions) + len(self._batches)
