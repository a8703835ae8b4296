"""A fetched file held against what the hub announced: its size and its hash.

The hub names a large file by the sha256 of its content and a small one as git names a blob. Neither
the hub's library nor the network checks that this is what arrived.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from sheepgen.checkpoint.fingerprint import file_sha256
from sheepgen.errors import ModelError
from sheepgen.text import excerpt
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.hub.listing import PlannedFile

__all__ = ["check_arrival", "check_cached"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_BLOB = re.compile(r"[0-9a-f]{40}")


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
    git_names = {name for name in names if _GIT_BLOB.fullmatch(name)}
    if git_names and git_names != {digest := _git_blob(path, size)}:
        raise _other(repo, path, f"git would name it {digest}, not {min(git_names)}")


def check_cached(repo: str, path: Path) -> None:
    """Check that a file that was fetched once is still what it was.

    Raises:
        ModelError: If it is damaged.
        OSError: If it cannot be read.
    """
    target = path.readlink() if path.is_symlink() else path
    known = target.name
    if target.parent.name != "blobs" or not _SHA256.fullmatch(known):
        return
    digest = file_sha256(path, believe_name=False)
    if digest != known:
        raise ModelError(
            f"{excerpt(f'{path.parent.name}/{path.name}')} of {repo} is damaged in the hub's "
            f"cache: its sha256 is {digest}, not {known}.",
            f"Remove {path.resolve()}; then the same command fetches it again.",
        )


def _git_blob(path: Path, size: int) -> str:
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with open_untrusted(path) as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def _other(repo: str, path: Path, what: str) -> ModelError:
    if path.is_symlink():
        (path.parent / path.readlink()).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return ModelError(
        f"The hub served another {excerpt(path.name)} of {repo} than it announced: {what}.",
        "It was removed. Try again; if that does not help, the hub or a proxy is at fault.",
    )
