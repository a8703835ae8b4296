"""Start a worker: in this process, or in one of its own that outlives this one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from sheepgen.errors import SheepgenError, UsageError
from sheepgen.user_cache import cache_folder
from sheepgen.worker.door import Door, State
from sheepgen.worker.link import Greeted, NoWorker, greet
from sheepgen.worker.place import folder_fault, lock_path, socket_path, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["open_door", "start_worker", "stop_worker"]

_BACKLOG = 32
_START_S = 30.0
_STOP_S = 60.0
_LOOK_S = 0.05


@contextmanager
def open_door(state: State, *, idle_s: float | None) -> Iterator[Door]:
    """Listen at the user's socket until Ctrl-C or another signal closes the door, or `Door` does.

    Args:
        state: What is said to those who ask how the worker is.
        idle_s: Seconds without any command after which it closes; None for never.

    Raises:
        UsageError: If a worker is running.
        SheepgenError: If there can be none on this system.
    """
    from filelock import FileLock, Timeout

    fault = unsupported() or folder_fault(create=True)
    if fault:
        raise SheepgenError(f"There can be no worker: {fault}.")
    lock = FileLock(lock_path(), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise _running() from error
    with lock, socket.socket(socket.AF_UNIX) as listener:
        _bind(listener)
        door = Door(listener, socket_path(), state, idle_s=idle_s)
        thread = Thread(target=door.keep, daemon=True)
        with _closed_by_signals(door):
            thread.start()
            try:
                yield door
            finally:
                door.close()
                thread.join()


def _bind(listener: socket.socket) -> None:
    """Put a socket at its place, and remove one that nobody listens at."""
    path = socket_path()
    if os.path.lexists(path):
        with socket.socket(socket.AF_UNIX) as trial:
            if trial.connect_ex(str(path)) == 0:
                raise _running()
        path.unlink()
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)


def _running() -> UsageError:
    return UsageError("A worker is already running.", "`sheepgen serve --stop` stops it.")


@contextmanager
def _closed_by_signals(door: Door) -> Iterator[None]:
    def close(_signal: int, _frame: FrameType | None) -> None:
        door.close()

    before = {each: signal.signal(each, close) for each in _ending_signals()}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _ending_signals() -> Iterator[signal.Signals]:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is not signal.SIG_IGN:
            yield each


def start_worker(idle_s: float) -> Greeted | NoWorker:
    """Start a worker that outlives this process, and wait until it answers.

    What it has to say is in ``worker.log`` in the cache folder.

    Args:
        idle_s: Seconds without any command after which it ends.
    """
    command = [sys.executable, "-m", "sheepgen", "serve", "--idle-timeout", f"{idle_s:g}s"]
    log = cache_folder() / "worker.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
    except OSError as error:
        return NoWorker(f"it does not start: {error}", is_running=False)
    deadline = time.monotonic() + _START_S
    found: Greeted | NoWorker = NoWorker(f"it does not start; {log} says why")
    while time.monotonic() < deadline and process.poll() is None:
        found = greet("work")
        if isinstance(found, Greeted) or found.is_running:
            return found
        time.sleep(_LOOK_S)
    return greet("work")


def stop_worker() -> Greeted | NoWorker:
    """Stop the worker after the step at hand, and wait until it is gone."""
    found = greet("stop")
    if isinstance(found, NoWorker):
        return found
    with found.connection, found.stream:
        deadline = time.monotonic() + _STOP_S
        while not isinstance(greet("status"), NoWorker):
            if time.monotonic() > deadline:
                return NoWorker("it is still at work")
            time.sleep(_LOOK_S)
    return found
