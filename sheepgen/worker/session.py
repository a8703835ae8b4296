"""One command's connection, as the worker sees it: `Session`.

Two threads serve it, one that reads and one that writes, so that a command that is stopped, or
reads slowly, keeps nobody else waiting.
"""

from __future__ import annotations

import os
import pickle
import socket
import traceback
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from sheepgen.errors import SheepgenError, as_sheepgen_error
from sheepgen.worker.messages import Alive, Raised, Returned, read_message, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

    from sheepgen.execution.local import LocalExecutor
    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ModelReference
    from sheepgen.worker.messages import Checkpoints, Message

__all__ = ["ALIVE_S", "Session", "portable"]

ALIVE_S = 1.0
"""How often a command that waits hears that the worker is alive."""


class Session:
    """A command that the worker has accepted.

    Args:
        connection: To a process of the same user.
        stream: Which reads from it.
        folder: The command's current folder.

    Attributes:
        gone: Whether the command is: nothing more is to be done for it.
        executor: What generates its images, once it has asked for a model.
        specs: The models that it has named.
    """

    def __init__(self, connection: socket.socket, stream: BufferedReader, folder: str) -> None:
        self.gone = False
        self.executor: LocalExecutor | None = None
        self.specs: dict[ModelReference, ModelSpec] = {}
        self._connection = connection
        self._stream = stream
        self._folder = folder
        self._waits = False
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()

    def messages(self, checkpoints: Checkpoints) -> Iterator[Message]:
        """Yield what the command asks for, until it is gone."""
        writer = Thread(target=self._write, daemon=True)
        writer.start()
        with suppress(OSError):
            while not self.gone:
                message = read_message(self._stream, checkpoints)
                if self._waits:
                    break  # which no command of ours does
                self._waits = True
                yield message
        self.close()
        writer.join()

    def enter_folder(self) -> None:
        """Make the command's folder the current one, which what it asks for is relative to.

        Raises:
            OSError: If it is gone.
        """
        os.chdir(self._folder)

    def send(self, message: object) -> None:
        """Send an event, or an answer; this never waits."""
        try:
            data = to_bytes(message)
        except Exception as error:  # noqa: BLE001 - whatever cannot be sent, the command is to know
            message = Raised(error=portable(error))
            data = to_bytes(message)
        if isinstance(message, Returned | Raised):
            self._waits = False
        self._outbox.put(data)

    def close(self) -> None:
        """End the connection."""
        self.gone = True
        self._outbox.put(None)
        with suppress(OSError):  # it may have been closed at the other end
            self._connection.shutdown(socket.SHUT_RDWR)

    def _write(self) -> None:
        alive = to_bytes(Alive())
        with suppress(OSError):
            while True:
                try:
                    data = self._outbox.get(timeout=ALIVE_S)
                except Empty:
                    data = alive if self._waits else b""
                if data is None:
                    return
                self._connection.sendall(data)


def portable(error: Exception) -> Exception:
    """Return an error as it can be sent: a command knows no classes of libraries that take time."""
    trace = "".join(traceback.format_exception(error))
    known = isinstance(error, SheepgenError) or type(error).__module__ == "builtins"
    sent = error if known else as_sheepgen_error(error)
    try:
        copied = pickle.loads(pickle.dumps(sent))  # noqa: S301 - of our own making
    except Exception:  # noqa: BLE001 - a class may want anything
        copied = as_sheepgen_error(RuntimeError(str(error)))
    assert isinstance(copied, Exception)
    copied.add_note(f"In the worker:\n{trace}")
    return copied
