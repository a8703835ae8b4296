"""What is to be proved: images, and those that folders and manifests list."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError, SheepgenError
from sheepgen.metadata.image_file import IMAGE_FORMATS, STEP_KEY, record_in
from sheepgen.metadata.image_texts import read_texts
from sheepgen.output.manifest import MANIFEST_NAME, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Exhibit", "Unchecked", "find_exhibits"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exhibit:
    """An image file to be proved.

    Args:
        path: Of the file.
        sha256: Of the file's bytes as its manifest has it; None if no manifest was asked.
    """

    path: Path
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchecked:
    """An image about which nothing can be said."""

    path: Path
    error: SheepgenError


def find_exhibits(paths: Iterable[Path]) -> tuple[Exhibit | Unchecked, ...]:
    """Return the images that the paths stand for, each once.

    A folder stands for the images directly in it that carry a record, and for all that its
    manifest lists; a manifest for what it lists; anything else for itself. A folder or manifest
    without images cannot be checked, for nothing must not pass as proved; and a manifest that
    cannot be read keeps no image of its folder from being found.
    """
    found: dict[Path, Exhibit | Unchecked] = {}
    for path in paths:
        try:
            exhibits = list(_exhibits(path)) or [_without_images(path)]
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror or error}."
            exhibits = [Unchecked(path=path, error=OutputError(message))]
        for exhibit in exhibits:
            found.setdefault(exhibit.path, exhibit)
    return tuple(found.values())


def _exhibits(path: Path) -> Iterable[Exhibit | Unchecked]:
    if path.is_dir():
        return chain(_listed(path), _carrying_records(path))
    if path.name == MANIFEST_NAME:
        return _listed(path.parent)
    return [Exhibit(path=path)]


def _without_images(path: Path) -> Unchecked:
    message = f"{path} lists no finished image."
    if path.is_dir():
        message = f"There is no image with a record in {path}."
    elif not path.exists():
        message = f"There is no {path}."
    return Unchecked(path=path, error=OutputError(message))


def _listed(folder: Path) -> Iterator[Exhibit | Unchecked]:
    """Yield the finished images of a folder's manifest; the last line of a key counts."""
    manifest = Manifest(folder)
    try:
        manifest.refresh()
    except SheepgenError as error:
        yield Unchecked(path=manifest.path, error=error)
        return
    for entry in manifest.entries:
        match entry:
            case {"status": "done", "path": str(path), "sha256": str(sha256)}:
                yield Exhibit(path=folder / path, sha256=sha256)
            case _:
                pass


def _carrying_records(folder: Path) -> Iterator[Exhibit]:
    """Yield the images of a folder that carry a record, or one that cannot be read.

    Filmstrips, contact sheets and other programs' images carry none; steps on the way carry the
    finished image's, and are not it.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_FORMATS and path.is_file() and _may_carry_record(path):
            yield Exhibit(path=path)


def _may_carry_record(path: Path) -> bool:
    try:
        found = read_texts(path)
        return STEP_KEY not in found.texts and record_in(found, path) is not None
    except OutputError:
        return True  # to be said, not passed over
