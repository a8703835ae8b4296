"""Locks that die with their process: on a folder for a moment, on a piece of work for longer.

The operating system lets go of such a lock when its process ends, however it ends, so whatever is
not held belongs to nobody alive. Files of locks that are held for long are made and removed only
under the folder's own lock; that leaves no moment in which two processes could hold one name.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock

__all__ = ["LOCK_NAME", "hold", "lock_folder"]

LOCK_NAME = ".sheepgen.lock"
LOCK_TIMEOUT_S = 60
"""The folder's lock is held for a few renames; a minute means that something is wrong with it."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that no other process chooses a name in it meanwhile.

    Raises:
        OutputError: If another process does not let go of it.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK_NAME, timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout as error:
        raise OutputError(
            f"Another process has kept the lock {folder / LOCK_NAME} for {LOCK_TIMEOUT_S} s.",
            "Stop it, or choose another folder with --output.",
        ) from error


def hold(path: Path) -> BaseFileLock | None:
    """Take the lock on ``path`` for as long as this process likes to keep it.

    Returns:
        The lock, which ``release()`` ends, or None if another process has it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock
