"""Files that appear whole or not at all.

What belongs together is first written into a hidden staging folder beside its destination, where
a full disk or a kill does no harm, and then renamed into place by whoever staged it. Such a
rename is atomic, needs no more room, and replaces a link instead of following it. What a killed
process left staged is known by its lock, which nobody holds any more.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError
from sheepgen.sinks.locks import hold, lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "STAGING_PREFIX",
    "make_folder",
    "output_errors",
    "remove_leftovers",
    "staging_folder",
    "sync_folder",
    "write_synced",
]

STAGING_PREFIX = ".sheepgen-"
_LOCK = "lock"

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space and run the same command again."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and run the same command again."),
    errno.EACCES: ("permission denied", "Choose another folder with --output."),
    errno.EPERM: ("permission denied", "Choose another folder with --output."),
    errno.EROFS: ("it is read-only", "Choose another folder with --output."),
    errno.ENOTDIR: ("a part of its path is no folder", "Choose another folder with --output."),
    errno.EEXIST: ("a file of that name is in the way", "Choose another folder with --output."),
}


@contextmanager
def output_errors(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into an `OutputError` that names the folder."""
    try:
        yield
    except OSError as error:
        reason, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
        raise OutputError(f"Cannot write into {folder}: {reason}.", hint) from error


def make_folder(folder: Path) -> None:
    """Make sure that the folder is there and can be written to.

    Raises:
        OutputError: If it cannot be.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "permission denied")


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder inside ``parent``, and remove it with what is left in it."""
    folder = parent / f"{STAGING_PREFIX}{secrets.token_hex(8)}"
    with lock_folder(parent):
        folder.mkdir(mode=0o700)
        lock = hold(folder / _LOCK)
    assert lock is not None, "nobody else knows the folder's name"
    try:
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: Path) -> None:
    """Remove the staging folders whose processes were killed."""
    with lock_folder(parent):
        for folder in parent.glob(f"{STAGING_PREFIX}*/"):
            if folder.is_symlink():
                continue  # none of ours
            lock = hold(folder / _LOCK)
            if lock is not None:
                lock.release()
                shutil.rmtree(folder, ignore_errors=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until the disk has it.

    Raises:
        FileExistsError: If anything has that name, be it a dangling link.
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's names, where the system can say so."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
