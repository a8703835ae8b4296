"""Opening a file that somebody else may have put there: regular files only, up to a limit.

Opening a FIFO blocks, a device may never end, and either can be in place of a config or an image,
or be what a link there leads to. So the file is opened without blocking, and its type is checked on
the open handle and not by name, which could lead elsewhere a moment later.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import BufferedReader

__all__ = [
    "expand_home",
    "lies_in",
    "open_named",
    "open_regular",
    "open_untrusted",
    "read_untrusted",
]

# What a system lacks of these, it does not need.
_FLAGS = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK"))


def open_regular(path: Path, flags: int) -> int:
    """Open a regular file and return its handle, which the caller closes.

    Args:
        path: The file.
        flags: Of `os.open`.

    Raises:
        OSError: If it cannot be opened, or is a folder, device, FIFO or socket (``EINVAL``).
    """
    handle = os.open(path, flags | _FLAGS, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return handle


def open_untrusted(path: Path, *, max_bytes: int | None = None) -> BufferedReader:
    """Open a regular file for reading.

    Args:
        path: The file, or a link to it.
        max_bytes: The largest size that is opened, or None for any: then the caller reads in
            pieces.

    Raises:
        OSError: If it cannot be opened, is a folder, device, FIFO or socket (``EINVAL``), or is
            larger than ``max_bytes`` (``EFBIG``).
    """
    handle = open_regular(path, os.O_RDONLY)
    if max_bytes is not None and os.fstat(handle).st_size > max_bytes:
        os.close(handle)
        raise OSError(errno.EFBIG, f"Larger than {max_bytes:,} bytes", str(path))
    return os.fdopen(handle, "rb")


def read_untrusted(path: Path, *, max_bytes: int) -> bytes:
    """Return the content of a regular file of at most ``max_bytes``.

    Raises:
        OSError: As `open_untrusted`; also if the file grew past the limit while it was read.
    """
    with open_untrusted(path, max_bytes=max_bytes) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"Larger than {max_bytes:,} bytes", str(path))
    return content


def open_named(path: str, *, wait: bool = False) -> BufferedReader:
    """Open a regular file or a pipe that the user named, such as ``<(command)``.

    Args:
        path: As it was typed.
        wait: Whether to wait until somebody writes into a FIFO; otherwise one that nobody has open
            for writing is empty.

    Raises:
        OSError: If it cannot be opened, or is a folder, device or socket (``EINVAL``).
        ValueError: If no file can have that name.
    """
    mode = os.stat(path).st_mode  # noqa: PTH116 - before it is opened, which a device may not like
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise OSError(errno.EINVAL, "Not a regular file or pipe", path)
    if stat.S_ISREG(mode):
        return open_untrusted(Path(path))
    handle = os.open(path, os.O_RDONLY | (0 if wait else _FLAGS))
    os.set_blocking(handle, True)
    return os.fdopen(handle, "rb")


def lies_in(folder: Path, path: Path) -> bool:
    """Return whether a path lies in a folder, also where links lead both."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def expand_home(path: str) -> str:
    """Expand a leading ``~``, which shells expand in ``--option ~`` but not in ``--option=~``."""
    return os.path.expanduser(path)  # noqa: PTH111 - pathlib's fails for a user without a home
