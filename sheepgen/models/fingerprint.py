"""One hash that names a model's weights, whatever the model is called and wherever it lies.

Gigabytes are not hashed on every run: the hub's cache names large files by their sha256, and all
other hashes are remembered in the user's cache folder under the file's path and state. The state
holds the inode and the change time (``ctime``), which no program can set: weights that were
replaced by others of the same size and modification time are hashed again. Where the memory
cannot be read or written, files are hashed again, too.

Neither is proof: what has to be certain is asked for with ``rehash``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING

from sheepgen.untrusted_file import open_untrusted, read_untrusted
from sheepgen.user_cache import cache_folder, write_cache

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["file_sha256", "fingerprint", "hub_sha256"]

_SHA256 = re.compile(r"[0-9a-f]{64}")

_rehashed: dict[Path, str] = {}
"""What this process was asked to read itself, by the hash's place in the memory: a thousand images
of one model have it read once."""


def fingerprint(folder: Path, files: Iterable[str], *, rehash: bool = False) -> str:
    """Return the sha256 over one line ``name sha256`` for each of ``files``, sorted.

    Args:
        folder: The model's folder.
        files: The weights, as ``component/file``.
        rehash: Read every file, once a process, whatever its name or the memory says.

    Raises:
        OSError: If one of them cannot be read or is not a regular file.
    """
    lines = (f"{name} {file_sha256(folder / name, rehash=rehash)}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_sha256(path: Path, *, rehash: bool = False, believe_name: bool = True) -> str:
    """Return a file's sha256, from memory if the file is as it was when it was last hashed.

    Args:
        path: A regular file, or a link to one.
        rehash: Read the file, once a process, whatever its name or the memory says.
        believe_name: Take the name that the hub's cache has given a large file for its sha256.

    Raises:
        OSError: If it cannot be read or is not a regular file.
    """
    if believe_name and not rehash and (known := hub_sha256(path)):
        return known
    with open_untrusted(path) as file:
        state = os.fstat(file.fileno())
        memory = _memory(path, state)
        if rehash and memory in _rehashed:
            return _rehashed[memory]
        if not rehash:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                remembered = read_untrusted(memory, max_bytes=64).decode("ascii")
                if _SHA256.fullmatch(remembered):
                    return remembered
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        # A file that was written to meanwhile may have the hash of neither state.
        if _memory(path, os.fstat(file.fileno())) == memory:
            write_cache(memory, digest)
            if rehash:
                _rehashed[memory] = digest
    return digest


def hub_sha256(path: Path) -> str | None:
    """Return the sha256 that the hub's cache has given a large file as its name.

    Only the first link is followed: where machines share files, a second one leads to a name that
    is another kind of hash.
    """
    target = path.readlink() if path.is_symlink() else path
    if target.parent.name == "blobs" and _SHA256.fullmatch(target.name):
        return target.name
    return None


def _memory(path: Path, state: os.stat_result) -> Path:
    """Return where a file's hash is remembered; a changed file has another place."""
    parts = (
        path.resolve(),
        state.st_dev,
        state.st_ino,
        state.st_size,
        state.st_mtime_ns,
        state.st_ctime_ns,
    )
    key = hashlib.sha256("\0".join(map(str, parts)).encode(errors="surrogateescape")).hexdigest()
    return cache_folder() / "sha256" / key
