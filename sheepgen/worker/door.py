"""Where commands come in: `Door` lets them in, refuses them, and knows when nobody will come."""

from __future__ import annotations

import os
import selectors
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from sheepgen.version import __version__
from sheepgen.worker.handshake import (
    difference,
    identity,
    installed,
    read_line,
    sees_folder,
    write_line,
)
from sheepgen.worker.messages import Checkpoints
from sheepgen.worker.place import is_same_user
from sheepgen.worker.session import Session
from sheepgen.worker.tasks import Task, Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["MAX_CLIENTS", "Door", "State"]

MAX_CLIENTS = 8

_HELLO_S = 5.0
_LOOK_S = 60.0
"""How often it is looked whether the socket and the code are still the worker's own."""


@dataclass(kw_only=True, slots=True)
class State:
    """What a worker says of itself.

    Args:
        is_ready: Whether it has loaded its libraries.
        models: Names of the models that it keeps.
        images: How many it has generated.
    """

    is_ready: bool = False
    models: tuple[str, ...] = ()
    images: int = 0


class Door:
    """Lets commands in, each in a thread of its own, until it is closed.

    Args:
        listener: Bound to the socket's path, and listening.
        path: The socket's.
        state: What is said to those who ask how the worker is.
        idle_s: Seconds without any command after which it closes; None for never.
        max_clients: Commands at the same time at most; more are refused.
        clock: Seconds of a clock that is never set back.

    Attributes:
        tasks: What the commands ask for.
        is_closed: Whether no more come in.
    """

    def __init__(
        self,
        listener: socket.socket,
        path: Path,
        state: State,
        *,
        idle_s: float | None = None,
        max_clients: int = MAX_CLIENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tasks = Tasks()
        self.is_closed = False
        self._listener = listener
        self._path = path
        self._inode = path.stat().st_ino
        self._state = state
        self._idle_s = idle_s
        self._max_clients = max_clients
        self._clock = clock
        self._identity = identity()
        self._is_outdated = False
        self._checkpoints = Checkpoints()
        self._sessions: set[Session] = set()
        self._lock = Lock()  # of the sessions
        self._used = clock()
        self._bell, self._rung = socket.socketpair()
        self._bell.setblocking(False)

    def keep(self) -> None:
        """Let commands in until the door is closed; then the socket is gone, and so are they."""
        with selectors.DefaultSelector() as selector, self._listener, self._bell, self._rung:
            self._listener.setblocking(False)
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._rung, selectors.EVENT_READ)
            while not self.is_closed:
                ready = [key.fileobj for key, _ in selector.select(self._patience())]
                if not ready:
                    self._look_around()
                if self._rung in ready:
                    self._rung.recv(4096)
                if self._listener in ready:
                    with suppress(OSError):  # it is gone again
                        connection, _ = self._listener.accept()
                        Thread(target=self._receive, args=(connection,), daemon=True).start()
            if self._is_there():
                self._path.unlink(missing_ok=True)
        with self._lock:
            for session in self._sessions:
                session.close()

    def close(self) -> None:
        """Let nobody in any more; this may be called in a signal handler."""
        self.is_closed = True
        self.tasks.close()
        self._ring()

    def _ring(self) -> None:
        with suppress(OSError):  # it was rung often enough
            self._bell.send(b"!")

    def _patience(self) -> float:
        """Return how many seconds to wait for the next command before looking around."""
        if self._sessions:
            return _LOOK_S
        if self._is_outdated:
            return 0
        if self._idle_s is None:
            return _LOOK_S
        return min(_LOOK_S, max(0.0, self._used + self._idle_s - self._clock()))

    def _look_around(self) -> None:
        """Close if nobody is here, and nobody came for too long or can come any more."""
        self._is_outdated = not self._identity.items() >= installed().items()
        is_idle = self._idle_s is not None and self._clock() - self._used >= self._idle_s
        with self._lock:
            if not self._sessions and (is_idle or self._is_outdated or not self._is_there()):
                self.close()

    def _is_there(self) -> bool:
        """Return whether the socket is at its path still."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def _receive(self, connection: socket.socket) -> None:
        """Answer what a command says first, and serve it if it comes for work."""
        with connection, connection.makefile("rb") as stream, suppress(OSError, ValueError):
            connection.settimeout(_HELLO_S)
            if not is_same_user(connection):
                return
            match read_line(stream):
                case {"want": "work", "identity": dict(other), "folder": [str(path), *state]}:
                    session = Session(connection, stream, path)
                    refused = self._admit(session, other, sees_folder(path, state))
                    write_line(connection, {"pid": os.getpid(), "refused": refused})
                    if not refused:
                        connection.settimeout(None)
                        for message in session.messages(self._checkpoints):
                            self.tasks.put(Task(session, message))
                    self._dismiss(session)
                case {"want": "stop"}:
                    self.close()
                    write_line(connection, self._status())
                case _:
                    write_line(connection, self._status())

    def _admit(self, session: Session, other: Mapping[str, str], sees_files: bool) -> str:
        """Take a command in, or return why not."""
        if unlike := difference(self._identity, other):
            self._is_outdated = not self._identity.items() >= installed().items()
            return f"it has {unlike}"
        if not sees_files:
            return "it does not see the current folder"
        with self._lock:
            if self.is_closed:
                return "it is about to end"
            if len(self._sessions) >= self._max_clients:
                return f"it serves {self._max_clients} commands already"
            self._sessions.add(session)
        return ""

    def _dismiss(self, session: Session) -> None:
        with self._lock:
            self._sessions.discard(session)
            self._used = self._clock()
        self._ring()

    def _status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "version": __version__,
            "ready": self._state.is_ready and not self.is_closed,
            "clients": len(self._sessions),
            "waiting": len(self.tasks),
            "images": self._state.images,
            "models": list(self._state.models),
            "idle_timeout_s": self._idle_s,
        }
