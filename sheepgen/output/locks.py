"""Locks that die with their process: on a folder for a moment, on a piece of work for longer.

The operating system lets go of such a lock when its process ends, however it ends, so whatever is
not held belongs to nobody alive. Files of locks that are held for long are made and removed only
under the folder's own lock; that leaves no moment in which two processes could hold one name.

Some file systems have no locks (NFS without its lock daemon, some containers and network drives).
There everything is done without them, which is safe for one process at a time, and nothing is ever
taken for abandoned.
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
"""The folder's lock is held for a few renames; a minute means that something is wrong with it."""


_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that no other process chooses a name in it meanwhile.

    Raises:
        OSError: If the lock's file cannot be made or opened.
        OutputError: If another process does not let go of it, or it is another user's.
    """
    from filelock import Timeout

    lock = _file_lock(folder / LOCK_NAME, timeout=LOCK_TIMEOUT_S)
    try:
        _acquire(lock)
    except Timeout as error:
        raise OutputError(
            f"Another process has kept the lock {folder / LOCK_NAME} for {LOCK_TIMEOUT_S} s.",
            "Stop it, or choose another folder with --output.",
        ) from error
    except PermissionError as error:
        raise _not_ours(folder) from error
    try:
        yield
    finally:
        lock.release()


def has_locks(folder: Path) -> bool:
    """Say whether the folder's file system has locks; leave nothing that was not there.

    Raises:
        OSError: If the lock's file cannot be made or opened.
        OutputError: If it is another user's.
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
        raise _not_ours(folder) from error
    finally:
        lock.release()


def _locks_a_new_file(folder: Path) -> bool:
    """Say whether a file without a name can be locked there; it is gone however this ends."""
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
    """Take the lock on ``path`` for as long as this process likes to keep it.

    Returns:
        The lock, which ``release()`` ends, or None if another process has it. On a file system
        without locks its ``is_locked`` is false, and nobody knows who else is at work.

    Raises:
        OSError: If the lock's file cannot be made or opened.
    """
    from filelock import Timeout

    lock = _file_lock(path, timeout=0)
    try:
        _acquire(lock)
    except Timeout:
        return None
    return lock


def _not_ours(folder: Path) -> OutputError:
    return OutputError(
        f"Cannot take the lock {folder / LOCK_NAME}: permission denied.",
        "It may be another user's. Choose another folder with --output.",
    )


def _file_lock(path: Path, *, timeout: float) -> BaseFileLock:
    from filelock import FileLock

    # Without the library's fallback to files that stay locked when their process is killed.
    return FileLock(path, timeout=timeout, fallback_to_soft=False)


def _acquire(lock: BaseFileLock) -> bool:
    """Acquire the lock, or return False if the file system has none."""
    try:
        lock.acquire()
    except NotImplementedError:  # older releases say so of ENOSYS
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True
