"""Files that appear whole or not at all.

What belongs together is first written into a hidden staging folder beside its destination, where
a full disk or a kill does no harm, and then renamed into place by whoever staged it. Such a
rename is atomic, needs no more room, and replaces a link instead of following it.

What a killed process left staged is a folder of exactly our form of name, with our lock in it, and
nobody holds that lock any more. Nothing else is ever removed, however much like ours its name is.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError
from sheepgen.output.locks import has_locks, hold, lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock

__all__ = [
    "is_writable",
    "make_folder",
    "output_errors",
    "prepare_folder",
    "remove_leftovers",
    "staging_folder",
    "sync_folder",
    "write_synced",
]

_STAGING_PREFIX = ".sheepgen-"
_STAGING_NAME = re.compile(r"\.sheepgen-[0-9a-f]{16}")
_LOCK = "lock"

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space and run the same command again."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and run the same command again."),
    errno.EACCES: ("permission denied", "Choose another folder with --output."),
    errno.EPERM: ("permission denied", "Choose another folder with --output."),
    errno.EROFS: ("it is read-only", "Choose another folder with --output."),
    errno.ENOTDIR: ("a part of its path is not a folder", "Choose another folder with --output."),
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
        if not is_writable(folder):
            raise PermissionError(errno.EACCES, "permission denied")


def prepare_folder(folder: Path) -> bool:
    """Make the folder and try its lock, before anything is drawn that is to go there.

    Returns:
        Whether the file system has locks; without them one process at a time is safe.

    Raises:
        OutputError: If it cannot be written to.
    """
    make_folder(folder)
    with output_errors(folder):
        return has_locks(folder)


def is_writable(folder: Path) -> bool:
    """Say whether this process may make files in a folder."""
    return os.access(folder, os.W_OK | os.X_OK)


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Make a hidden folder inside ``parent``, and remove it with what is left in it."""
    folder = parent / f"{_STAGING_PREFIX}{secrets.token_hex(8)}"
    with lock_folder(parent):
        folder.mkdir(mode=0o700)
        lock = hold(folder / _LOCK)
    assert lock is not None, "nobody else knows the folder's name"
    try:
        yield folder
    finally:
        with suppress(OSError):
            _remove_staging(folder, lock)


def remove_leftovers(folder: Path) -> None:
    """Remove the staging folders directly in ``folder`` whose processes were killed.

    Raises:
        OutputError: If the folder cannot be read, or its lock cannot be taken.
    """
    if not folder.is_dir():
        return
    with output_errors(folder):
        left = [path for path in folder.iterdir() if _STAGING_NAME.fullmatch(path.name)]
        if not left:
            return
        with lock_folder(folder):
            for path in left:
                _remove_abandoned(path)


def _remove_abandoned(staging: Path) -> None:
    """Remove a folder that holds our lock, if nobody else does; links are never ours."""
    path = staging / _LOCK
    with suppress(OSError):  # another user's, or removed meanwhile
        ours = stat.S_ISDIR(staging.lstat().st_mode) and stat.S_ISREG(path.lstat().st_mode)
        if ours and (lock := hold(path)) is not None:
            if lock.is_locked:
                _remove_staging(staging, lock)
            lock.release()


def _remove_staging(folder: Path, lock: BaseFileLock) -> None:
    """Remove a staging folder whose lock is held, the lock last: it marks what is to be removed."""
    for path in folder.iterdir():
        if path.name == _LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    lock.release()
    shutil.rmtree(folder)


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
