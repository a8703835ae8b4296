"""A command's connection to a worker: `greet`, `Link`."""

from __future__ import annotations

import os
import pickle
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.worker.handshake import hello, read_line, write_line
from sheepgen.worker.place import folder_fault, is_same_user, peer_pid, socket_path, unsupported

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from io import BufferedReader

    from sheepgen.events import Event
    from sheepgen.worker.messages import Message

__all__ = ["HELLO_S", "SILENCE_S", "Greeted", "Link", "NoWorker", "WorkerLostError", "greet"]

HELLO_S = 2.0
"""A worker that does not answer a greeting within this time is not waited for."""

SILENCE_S = 10.0
"""A worker that is at work is heard each second; after this time without a word it is given up."""


class NoWorker(NamedTuple):
    """There is no worker for this command.

    Args:
        reason: Why, as the end of a sentence.
        is_running: Whether there is one all the same.
    """

    reason: str
    is_running: bool = True


class Greeted(NamedTuple):
    """A worker that has answered.

    Args:
        connection: To the worker.
        stream: That reads from it.
        answer: What it said.
    """

    connection: socket.socket
    stream: BufferedReader
    answer: Mapping[str, Any]


class WorkerLostError(Exception):
    """The worker is gone, or does not answer."""


def greet(want: str) -> Greeted | NoWorker:
    """Connect to this user's worker, and tell it what for.

    Args:
        want: ``work``, ``status`` or ``stop``.
    """
    if fault := unsupported():
        return NoWorker(fault, is_running=False)
    path = socket_path()
    if not os.path.lexists(path):
        return NoWorker("none is running", is_running=False)
    if fault := folder_fault():
        return NoWorker(fault, is_running=False)
    with ExitStack() as opened:
        connection = opened.enter_context(socket.socket(socket.AF_UNIX))
        connection.settimeout(HELLO_S)
        try:
            connection.connect(str(path))
            if not is_same_user(connection):
                return NoWorker("it belongs to another user")
            stream = opened.enter_context(connection.makefile("rb"))
            write_line(connection, hello(want))
            answer = read_line(stream)
        except (ConnectionRefusedError, FileNotFoundError):
            return NoWorker("none is running", is_running=False)
        except (OSError, ValueError) as error:
            pid = peer_pid(connection) if is_late(error) else None
            late = f"it does not answer (process {pid})" if pid else "it does not answer"
            return NoWorker(late if is_late(error) else f"it fails: {error}")
        if refused := answer.get("refused"):
            return NoWorker(str(refused))
        opened.pop_all()
        return Greeted(connection, stream, answer)


def is_late(error: Exception) -> bool:
    """Return whether an error says that the other end does not read, or write."""
    return isinstance(error, TimeoutError | BlockingIOError)


class Link:
    """A connection to a worker that goes with this command.

    Args:
        greeted: The worker.
    """

    def __init__(self, greeted: Greeted) -> None:
        self.pid = greeted.answer["pid"]
        self._connection, self._stream, _ = greeted
        self._connection.settimeout(SILENCE_S)

    def ask(self, message: Message) -> Any:  # noqa: ANN401 - whatever it returns
        """Return the worker's answer to a message that brings no events, or raise it.

        Raises:
            WorkerLostError: If the worker is gone.
        """
        from sheepgen.worker.messages import Raised

        (answer,) = self._hear(message)
        if isinstance(answer, Raised):
            raise answer.error
        return answer.value

    def stream(self, message: Message) -> Generator[Event]:
        """Yield the events that a message brings.

        If they are not taken to the end, the connection is closed, which stops the worker's work.

        Raises:
            WorkerLostError: If the worker is gone.
        """
        from sheepgen.worker.messages import Raised, Returned

        is_done = False
        try:
            for heard in self._hear(message):
                match heard:
                    case Raised(error=error):
                        raise error
                    case Returned():
                        is_done = True
                    case event:
                        yield event
        finally:
            if not is_done:
                self.close()

    def close(self) -> None:
        """End the connection, and with it what the worker does for this command."""
        self._stream.close()
        self._connection.close()

    def _hear(self, message: Message) -> Generator[Any]:
        """Send a message, and yield all that comes until the answer, and the answer."""
        from sheepgen.worker.messages import Alive, Raised, Returned, read_answer, to_bytes

        try:
            data = to_bytes(message)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise WorkerLostError(f"what is asked for cannot be sent: {error}") from error
        with _lost():
            self._connection.sendall(data)
        heard: object = None
        while not isinstance(heard, Returned | Raised):
            with _lost():
                heard = read_answer(self._stream)
            if not isinstance(heard, Alive):
                yield heard


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        what = "it does not answer any more" if is_late(error) else "it is gone"
        raise WorkerLostError(what) from error
