"""One hash that names a model's weights, whatever the model is called and wherever it lies.

Gigabytes are not hashed on every run: the hub's cache names large files by their sha256, and all
other hashes are remembered in the user's cache folder under the file's path, size and time of
change. That memory is a convenience: where it cannot be read or written, files are hashed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING

from sheepgen.user_cache import cache_folder, remember

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["file_sha256", "fingerprint"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


def fingerprint(folder: Path, files: Iterable[str]) -> str:
    """Return the sha256 over one line ``name sha256`` for each of ``files``, sorted.

    Args:
        folder: The model's folder.
        files: The weights, as ``component/file``.
    """
    lines = (f"{name} {file_sha256(folder / name)}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return a file's sha256, from memory if the file is as it was when it was last hashed."""
    if known := _hub_sha256(path):
        return known
    memory = _memory(path)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        remembered = memory.read_text(encoding="ascii")
        if _SHA256.fullmatch(remembered):
            return remembered
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    remember(memory, digest)
    return digest


def _hub_sha256(path: Path) -> str | None:
    """Return the sha256 that the hub's cache has given a large file as its name.

    Only the first link is followed: where machines share files, a second one leads to a name that
    is another kind of hash.
    """
    target = path.readlink() if path.is_symlink() else path
    if target.parent.name == "blobs" and _SHA256.fullmatch(target.name):
        return target.name
    return None


def _memory(path: Path) -> Path:
    """Return where a file's hash is remembered; a changed file has another place."""
    status = path.stat()
    state = f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    key = hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()
    return cache_folder() / "sha256" / key
