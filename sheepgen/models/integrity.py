"""Every file of a model hashed and compared with what is recorded of it.

The Hub's cache names a file's content by its hash: the sha256 of a large file, and of a small one
the sha1 that git gives it. What `hf download --local-dir` saves has these names in files beside
it. Models that `sheepgen train` made have the hashes of their weights in their training record. Of
other files nothing is recorded, and their hashes are only returned.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sheepgen.errors import ModelError
from sheepgen.models.files import list_files
from sheepgen.models.fingerprint import SHA256
from sheepgen.models.hub.cache import HubModel, snapshot_folder
from sheepgen.models.hub.transfer import SHA1
from sheepgen.models.json_file import read_object
from sheepgen.models.training_record import RECORD_FILE
from sheepgen.untrusted_file import open_untrusted, read_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["FileCheck", "check_files", "files_to_check"]

State = Literal["intact", "damaged", "not recorded"]

_PIECE = 2**20

_MAX_METADATA = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCheck:
    """What became of one file.

    Args:
        name: Within the model's folder.
        state: Whether it is what is recorded of it.
        sha256: Of its content; None if it cannot be read.
        recorded: What it should be, a sha256 or git's sha1; None if nothing is recorded.
        problem: Why it is damaged; empty if it is not.
    """

    name: str
    state: State
    sha256: str | None
    recorded: str | None
    problem: str = ""


def files_to_check(place: Path | HubModel) -> tuple[Path, tuple[str, ...]]:
    """Return a model's folder and the names of its files that are checked, the small ones too.

    Args:
        place: A folder, a file, or a model in the Hub's cache.

    Raises:
        ModelError: If there is nothing to check.
    """
    if isinstance(place, HubModel):
        folder = snapshot_folder(place)
        if folder is None:
            raise ModelError(
                f"{place.repo} is not in the Hub's cache.",
                f"Download it with `sheepgen models pull {place.repo}`.",
            )
        links = (each for each in folder.rglob("*") if each.is_symlink() or each.is_file())
        return folder, tuple(sorted(each.relative_to(folder).as_posix() for each in links))
    if place.is_file():
        return place.parent, (place.name,)
    weights = tuple(sorted(file for file in list_files(place) if file.endswith(".safetensors")))
    if not weights:
        raise ModelError(f"{place} has no weights to check.", "They are .safetensors files.")
    return place, weights


def check_files(folder: Path, names: tuple[str, ...]) -> Iterator[FileCheck]:
    """Read every file, and yield what became of it."""
    written = _training_record(folder)
    for name in names:
        recorded = _blob_name(folder / name) or written.get(name) or _download(folder, name)
        yield _check(folder, name, recorded)


def _check(folder: Path, name: str, recorded: str | None) -> FileCheck:
    try:
        sha256, sha1 = _hashes(folder / name)
    except OSError as error:
        problem = "missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
        return FileCheck(
            name=name, state="damaged", sha256=None, recorded=recorded, problem=problem.lower()
        )
    if recorded is None:
        return FileCheck(name=name, state="not recorded", sha256=sha256, recorded=None)
    if recorded in (sha256, sha1):
        return FileCheck(name=name, state="intact", sha256=sha256, recorded=recorded)
    kind, found = ("sha256", sha256) if len(recorded) == len(sha256) else ("git's sha1", sha1)
    problem = f"its {kind} is {found}, not {recorded}"
    return FileCheck(name=name, state="damaged", sha256=sha256, recorded=recorded, problem=problem)


def _hashes(path: Path) -> tuple[str, str]:
    """Return a file's sha256, and the sha1 by which git names it."""
    sha256 = hashlib.sha256()
    with open_untrusted(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        sha1 = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while piece := file.read(_PIECE):
            sha256.update(piece)
            sha1.update(piece)
    return sha256.hexdigest(), sha1.hexdigest()


def _blob_name(path: Path) -> str | None:
    """Return the hash by which the Hub's cache names the content that a file links to."""
    if not path.is_symlink():
        return None
    target = path.readlink()
    return target.name if target.parent.name == "blobs" and _is_hash(target.name) else None


def _training_record(folder: Path) -> Mapping[str, str]:
    try:
        hashes = read_object(folder / RECORD_FILE).get("sha256")
    except (ModelError, OSError):
        return {}
    if not isinstance(hashes, dict):
        return {}
    return {name: str(each) for name, each in hashes.items() if SHA256.fullmatch(str(each))}


def _download(folder: Path, name: str) -> str | None:
    """Return what `hf download --local-dir` wrote of a file: its commit, its hash, the time."""
    path = folder / ".cache" / "huggingface" / "download" / f"{name}.metadata"
    try:
        lines = read_untrusted(path, max_bytes=_MAX_METADATA).decode("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return lines[1] if len(lines) > 1 and _is_hash(lines[1]) else None


def _is_hash(text: str) -> bool:
    return SHA256.fullmatch(text) is not None or SHA1.fullmatch(text) is not None
