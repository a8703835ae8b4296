"""Locks that end with their process: on a folder for a moment, on one piece of work for longer.

The operating system releases such a lock when its process ends, however it ends; a lock that is not
held therefore belongs to no running process. Files of long-held locks are created and removed only
under the folder's own lock, so there is no moment in which two processes could hold the same name.

Some file systems have no locks (NFS without its lock daemon, some containers and network drives).
There everything works without them, which is safe for one process at a time, and nothing is ever
considered abandoned.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock

__all__ = ["LOCK_NAME", "has_locks", "hold", "lock_folder"]

LOCK_NAME = ".sheepgen.lock"
LOCK_TIMEOUT_S = 60
"""The folder's lock is held for a few renames; if it takes a minute, something is wrong."""

_POLL_S = 0.005
"""About as long as it is held; a run's own thread that saves images takes it, too."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def lock_folder(folder: Path, *, shard: str = "") -> Iterator[None]:
    """Hold the folder's lock, so that no other process chooses a name in it meanwhile.

    Args:
        folder: It must exist.
        shard: Whose own lock it is, as in ``3-of-8``; empty for the lock of all.

    Raises:
        OSError: If the lock file cannot be created or opened.
        OutputError: If another process does not release it, or it belongs to another user.
    """
    from filelock import Timeout

    path = folder / (f".sheepgen-{shard}.lock" if shard else LOCK_NAME)
    lock = _file_lock(path, timeout=LOCK_TIMEOUT_S)
    try:
        _acquire(lock)
    except Timeout as error:
        raise OutputError(
            f"Another process has held the lock {path} for {LOCK_TIMEOUT_S} s.",
            "Stop it, or choose another folder with --output.",
        ) from error
    except PermissionError as error:
        raise _permission_error(path) from error
    try:
        yield
    finally:
        lock.release()


def has_locks(folder: Path) -> bool:
    """Check whether the folder's file system has locks, without leaving a new file.

    Raises:
        OSError: If the lock file cannot be created or opened.
        OutputError: If it belongs to another user.
    """
    from filelock import Timeout

    if not (folder / LOCK_NAME).exists():
        return _locks_a_new_file(folder)
    lock = _file_lock(folder / LOCK_NAME, timeout=0)
    try:
        return _acquire(lock)
    except Timeout:
        return True
    except PermissionError as error:
        raise _permission_error(folder / LOCK_NAME) from error
    finally:
        lock.release()


def _locks_a_new_file(folder: Path) -> bool:
    """Check whether a file without a name, which is gone however this ends, can be locked."""
    try:
        import fcntl
    except ImportError:  # Windows, whose file systems all have locks
        return True
    with TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return False
            raise
    return True


def hold(path: Path) -> BaseFileLock | None:
    """Acquire the lock ``path`` until it is released or the process ends.

    Returns:
        The lock, or None if another process holds it. On a file system without locks its
        ``is_locked`` is false, and other processes cannot be detected.

    Raises:
        OSError: If the lock file cannot be created or opened.
    """
    from filelock import Timeout

    lock = _file_lock(path, timeout=0)
    try:
        _acquire(lock)
    except Timeout:
        return None
    return lock


def _permission_error(path: Path) -> OutputError:
    return OutputError(
        f"Cannot take the lock {path}: permission denied.",
        "It may belong to another user. Choose another folder with --output.",
    )


def _file_lock(path: Path, *, timeout: float) -> BaseFileLock:
    from filelock import FileLock

    # The library's fallback would leave files that stay locked when their process is killed.
    return FileLock(path, timeout=timeout, poll_interval=_POLL_S, fallback_to_soft=False)


def _acquire(lock: BaseFileLock) -> bool:
    """Acquire the lock, or return False if the file system has none."""
    try:
        lock.acquire()
    except NotImplementedError:  # how older releases report ENOSYS
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True
