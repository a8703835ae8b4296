"""One hash that identifies a model's weights, whatever its name and folder.

Gigabytes are not hashed on every run: the Hub's cache names large files by their sha256, and all
other hashes are cached in the user's cache folder under the file's path and state. The state
includes the inode and the change time (``ctime``), which no program can set: weights that were
replaced by others of the same size and modification time are hashed again. Files are also hashed
again if that cache cannot be read or written.

Neither is proof: with ``rehash`` every file is read.
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

__all__ = ["SHA256", "file_sha256", "fingerprint", "hub_sha256"]

SHA256 = re.compile(r"[0-9a-f]{64}")
"""A sha256 in hexadecimal."""

_rehashed: dict[Path, str] = {}
"""What this process has read itself, by the path of the cached hash: for a thousand images of one
model it is read once."""


def fingerprint(folder: Path, files: Iterable[str], *, rehash: bool = False) -> str:
    """Return the sha256 over one line ``name sha256`` for each of ``files``, sorted.

    Args:
        folder: The model's folder.
        files: The weights, as ``component/file``.
        rehash: Read every file, once per process, even if its hash is cached.

    Raises:
        OSError: If one of them cannot be read or is not a regular file.
    """
    lines = (f"{name} {file_sha256(folder / name, rehash=rehash)}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_sha256(
    path: Path, *, rehash: bool = False, believe_name: bool = True, start: int = 0
) -> str:
    """Return a file's sha256, from the cache if the file has not changed since it was hashed.

    Args:
        path: A regular file, or a link to one.
        rehash: Read the file, once per process, even if its hash is cached.
        believe_name: Trust the name that the Hub's cache gave a large file, which is its sha256.
        start: How many bytes at its beginning are left out.

    Raises:
        OSError: If it cannot be read or is not a regular file.
    """
    if believe_name and not rehash and not start and (known := hub_sha256(path)):
        return known
    with open_untrusted(path) as file:
        state = os.fstat(file.fileno())
        cached = _cached_path(path, state, start)
        if rehash and cached in _rehashed:
            return _rehashed[cached]
        if not rehash:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                stored = read_untrusted(cached, max_bytes=64).decode("ascii")
                if SHA256.fullmatch(stored):
                    return stored
        file.seek(start)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        # A file that was changed meanwhile may have the hash of neither state.
        if _cached_path(path, os.fstat(file.fileno()), start) == cached:
            write_cache(cached, digest)
            if rehash:
                _rehashed[cached] = digest
    return digest


def hub_sha256(path: Path) -> str | None:
    """Return the sha256 that the Hub's cache gave a large file as its name.

    Only the first link is followed: on shared file systems a second one may lead to a name that is
    another kind of hash.
    """
    target = path.readlink() if path.is_symlink() else path
    if target.parent.name == "blobs" and SHA256.fullmatch(target.name):
        return target.name
    return None


def _cached_path(path: Path, state: os.stat_result, start: int) -> Path:
    """Return where the hash of a file from a byte on is cached; a changed one gets another path."""
    parts = (
        path.resolve(),
        state.st_dev,
        state.st_ino,
        state.st_size,
        state.st_mtime_ns,
        state.st_ctime_ns,
        *((start,) if start else ()),
    )
    key = hashlib.sha256("\0".join(map(str, parts)).encode(errors="surrogateescape")).hexdigest()
    return cache_folder() / "sha256" / key
