"""Atomic writes: files appear complete or not at all.

Files that belong together are first written to a hidden staging folder beside their destination,
where a full disk or a kill does no harm, and then renamed into place. A rename is atomic, needs no
more space, and replaces a link instead of following it.

A staging folder that a killed process left has a name of exactly our form and our lock in it, which
no process holds any more. Nothing else is ever removed, however similar its name.
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
    errno.EROFS: ("the file system is read-only", "Choose another folder with --output."),
    errno.ENOTDIR: ("part of the path is not a folder", "Choose another folder with --output."),
    errno.EEXIST: ("a file with that name already exists", "Choose another folder with --output."),
}


@contextmanager
def output_errors(folder: Path) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError` that names the folder."""
    try:
        yield
    except OSError as error:
        reason, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
        raise OutputError(f"Cannot write to {folder}: {reason}.", hint) from error


def make_folder(folder: Path) -> None:
    """Create the folder if needed, and check that it can be written to.

    Raises:
        OutputError: If it cannot.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not is_writable(folder):
            code = errno.EROFS if _is_read_only(folder) else errno.EACCES
            raise OSError(code, os.strerror(code))


def prepare_folder(folder: Path) -> bool:
    """Create the folder and try its lock, before images are generated for it.

    Returns:
        Whether the file system has locks. Without them, only one process at a time is safe.

    Raises:
        OutputError: If it cannot be written to.
    """
    make_folder(folder)
    with output_errors(folder):
        return has_locks(folder)


def is_writable(folder: Path) -> bool:
    """Check whether this process may create files in a folder."""
    return os.access(folder, os.W_OK | os.X_OK)


def _is_read_only(folder: Path) -> bool:
    """Return whether a folder's whole file system is read-only, where the system can tell."""
    return os.name == "posix" and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Create a hidden folder inside ``parent``; remove it with its remaining files at the end."""
    folder = parent / f"{_STAGING_PREFIX}{secrets.token_hex(8)}"
    with lock_folder(parent):
        folder.mkdir(mode=0o700)
        lock = hold(folder / _LOCK)
    assert lock is not None, "no other process knows the folder's name"
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
    """Remove a folder with our lock in it if no process holds the lock; links are never ours."""
    path = staging / _LOCK
    with suppress(OSError):  # it belongs to another user, or was removed meanwhile
        ours = stat.S_ISDIR(staging.lstat().st_mode) and stat.S_ISREG(path.lstat().st_mode)
        if ours and (lock := hold(path)) is not None:
            if lock.is_locked:
                _remove_staging(staging, lock)
            lock.release()


def _remove_staging(folder: Path, lock: BaseFileLock) -> None:
    """Remove a staging folder whose lock we hold; the lock goes last, as it marks the folder."""
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
    """Write a new file and wait until it is on disk.

    Raises:
        FileExistsError: If the name is taken, even by a dangling link.
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in the folder are on disk, if the system supports that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
