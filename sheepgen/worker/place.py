"""Where the worker's socket is, and whose process is at its other end.

It is a Unix socket in the user's run-time folder; nothing listens on the network. The folder is the
user's alone, so that nobody else can put another socket in its place, and both ends ask the system
whose process the other one is before they read a word. What is not of the same user is not spoken
to.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
import warnings
from typing import TYPE_CHECKING

from platformdirs import user_runtime_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "folder_fault",
    "is_same_user",
    "lock_path",
    "peer_pid",
    "peer_uid",
    "socket_path",
    "unsupported",
]

_MAX_PATH_BYTES = 103
"""The system's structure for an address has room for 104 to 108, with a zero at the end."""

_CREDENTIALS = struct.Struct("3i")
"""Process, user and group, as Linux says them."""

_DARWIN_LOCAL, _DARWIN_PEERCRED, _DARWIN_XUCRED_BYTES = 0, 1, 76
"""``SOL_LOCAL``, ``LOCAL_PEERCRED`` and the size of ``struct xucred``, which Python does not name;
its second field of 32 bits is the user."""


def socket_path() -> Path:
    """Return the path of the socket; nothing need be there."""
    return _folder() / "worker.sock"


def lock_path() -> Path:
    """Return the path of the file that is locked while a worker runs."""
    return _folder() / "worker.lock"


def unsupported() -> str:
    """Return why there can be no worker on this system; empty if there can be one."""
    if not hasattr(socket, "AF_UNIX"):
        return "this system has no Unix sockets"
    if not (hasattr(socket, "SO_PEERCRED") or sys.platform == "darwin"):
        return "this system does not say whose process is at the other end of a socket"
    if len(os.fsencode(socket_path())) > _MAX_PATH_BYTES:
        return f"the path {socket_path()} is too long for a socket"
    return ""


def folder_fault(*, create: bool = False) -> str:
    """Return what is wrong with the socket's folder; empty if it is this user's alone.

    Args:
        create: Whether it is made if it is not there.

    Raises:
        OSError: If it cannot be made.
    """
    folder = _folder()
    if create:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        found = folder.lstat()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is not a folder"
    if found.st_uid != os.geteuid():
        return f"{folder} belongs to another user"
    if found.st_mode & 0o077:
        return f"{folder} is open to other users"
    return ""


def is_same_user(connection: socket.socket) -> bool:
    """Return whether the process at the other end is of this user."""
    return peer_uid(connection) == os.geteuid()


def peer_uid(connection: socket.socket) -> int | None:
    """Return the user of the process at the other end of a Unix socket; None if not known."""
    if sys.platform == "darwin":
        asked = (_DARWIN_LOCAL, _DARWIN_PEERCRED, _DARWIN_XUCRED_BYTES)
        return int(struct.unpack_from("=II", connection.getsockopt(*asked))[1])
    if hasattr(socket, "SO_PEERCRED"):
        return int(_CREDENTIALS.unpack(_credentials(connection))[1])
    return None


def peer_pid(connection: socket.socket) -> int | None:
    """Return the process at the other end of a Unix socket; None if not known."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    return int(_CREDENTIALS.unpack(_credentials(connection))[0])


def _credentials(connection: socket.socket) -> bytes:
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)


def _folder() -> Path:
    with warnings.catch_warnings():
        # That the system has no such folder and one in the temporary folder stands in for it.
        warnings.simplefilter("ignore", UserWarning)
        return user_runtime_path("sheepgen", appauthor=False)
