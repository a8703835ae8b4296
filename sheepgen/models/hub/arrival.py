"""A fetched file held against what the hub announced: its size and its hash.

The hub names a large file by the sha256 of its content and a small one as git names a blob. Neither
the hub's library nor the network checks that this is what arrived.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.fingerprint import file_sha256, hub_sha256
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import open_untrusted
from sheepgen.user_cache import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.models.hub.listing import PlannedFile

__all__ = ["check_arrival", "check_cached"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


def check_arrival(repo: str, path: Path, file: PlannedFile, etag: str | None) -> None:
    """Check that a file in the cache is the one that the hub announced, and remove it if not.

    Args:
        repo: The repository, ``org/name``.
        path: Where it is.
        file: As the hub listed it.
        etag: The name that the hub gave to its content.

    Raises:
        ModelError: If it is another one.
        OSError: If it cannot be read.
    """
    size = path.stat().st_size
    if size != file.size:
        raise _other(repo, path, f"{size:,} bytes instead of {file.size:,}")
    names = {name for name in (etag, file.sha256) if name is not None}
    hashes = {name for name in names if _SHA256.fullmatch(name)}
    if hashes and hashes != {digest := file_sha256(path, rehash=True)}:
        raise _other(repo, path, f"its sha256 is {digest}, not {min(hashes - {digest})}")
    for name in names:
        if _SHA1.fullmatch(name) and name not in (digests := _sha1_names(path, size)):
            raise _other(repo, path, f"git would name it {digests[0]}, not {name}")


def check_cached(repo: str, path: Path, *, rehash: bool = False) -> None:
    """Check that a file that was fetched once is still what it was.

    It is hashed when it is first met, and again when it changes. Where that cannot be remembered it
    is not hashed at all: gigabytes on every run would cost more than they find.

    Args:
        repo: The repository, ``org/name``.
        path: Of the file.
        rehash: Read it, once a process, whatever is remembered of it.

    Raises:
        ModelError: If it is damaged.
        OSError: If it cannot be read.
    """
    known = hub_sha256(path)
    if known is None or not (rehash or _can_remember()):
        return
    digest = file_sha256(path, rehash=rehash, believe_name=False)
    if digest != known:
        raise ModelError(
            f"{excerpt(f'{path.parent.name}/{path.name}')} of {repo} is damaged in the hub's "
            f"cache: its sha256 is {digest}, not {known}.",
            f"Remove {path.resolve()}; then the same command fetches it again.",
        )


def _can_remember() -> bool:
    folder = cache_folder()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def _sha1_names(path: Path, size: int) -> tuple[str, str]:
    """Return the hash that git names a file by, and that of its content, which some proxies use."""
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    content = hashlib.sha1(usedforsecurity=False)
    with open_untrusted(path) as file:
        while piece := file.read(2**20):
            blob.update(piece)
            content.update(piece)
    return blob.hexdigest(), content.hexdigest()


def _other(repo: str, path: Path, what: str) -> ModelError:
    if path.is_symlink():
        (path.parent / path.readlink()).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return ModelError(
        f"The hub served another {excerpt(path.name)} of {repo} than it announced: {what}.",
        "It was removed. Try again; if that does not help, the hub or a proxy is at fault.",
    )
