"""Find the images to verify: files, and what folders and manifests list."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sheepgen.errors import OutputError, SheepgenError
from sheepgen.metadata.image_file import IMAGE_FORMATS, STEP_KEY, record_in
from sheepgen.metadata.image_texts import read_texts
from sheepgen.output.manifest import Manifest, is_manifest_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Candidate", "NotVerified", "find_candidates"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An image file to verify.

    Args:
        path: Of the file.
        sha256: Of the file's bytes as its manifest lists it; None without a manifest.
    """

    path: Path
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NotVerified:
    """An image that could not be verified, and why."""

    path: Path
    error: SheepgenError

    verdict: ClassVar[str] = "unchecked"
    is_confirmed: ClassVar[bool] = False


def find_candidates(paths: Iterable[Path | str]) -> tuple[Candidate | NotVerified, ...]:
    """Return the images that the paths stand for, each once.

    A folder stands for the images directly in it that carry a record, and for all that its
    manifest lists; a manifest for what it lists; anything else for itself. A folder or manifest
    without images is `NotVerified`, so that nothing does not pass for verified; and a manifest
    that cannot be read does not keep the images of its folder from being found.
    """
    found: dict[Path, Candidate | NotVerified] = {}
    for path in map(Path, paths):
        try:
            candidates = list(_candidates(path)) or [_without_images(path)]
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror or error}."
            candidates = [NotVerified(path=path, error=OutputError(message))]
        for candidate in candidates:
            found.setdefault(candidate.path, candidate)
    return tuple(found.values())


def _candidates(path: Path) -> Iterable[Candidate | NotVerified]:
    if path.is_dir():
        return chain(_listed(path), _carrying_records(path))
    if is_manifest_name(path.name):
        return _listed(path.parent)
    return [Candidate(path=path)]


def _without_images(path: Path) -> NotVerified:
    message = f"{path} lists no finished images."
    if path.is_dir():
        message = f"No images with a record in {path}."
    elif not path.exists():
        message = f"No such file or folder: {path}."
    return NotVerified(path=path, error=OutputError(message))


def _listed(folder: Path) -> Iterator[Candidate | NotVerified]:
    """Yield the finished images of a folder's manifest; the last line of a key counts."""
    manifest = Manifest(folder)
    try:
        manifest.refresh()
    except SheepgenError as error:
        yield NotVerified(path=manifest.path, error=error)
        return
    for entry in manifest.entries():
        match entry:
            case {"status": "done", "path": str(path), "sha256": str(sha256)}:
                yield Candidate(path=folder / path, sha256=sha256)
            case _:
                pass


def _carrying_records(folder: Path) -> Iterator[Candidate]:
    """Yield the images of a folder that carry a record, or one that cannot be read.

    Filmstrips, contact sheets and other programs' images carry none; steps on the way carry the
    finished image's, and are not it.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_FORMATS and path.is_file() and _may_carry_record(path):
            yield Candidate(path=path)


def _may_carry_record(path: Path) -> bool:
    try:
        found = read_texts(path)
        return STEP_KEY not in found.texts and record_in(found, path) is not None
    except OutputError:
        return True  # so that it is reported
