"""Which existing paths an image may replace when it is saved, and which name is free for it.

Two sources show that a path was made for the same image. The manifest's line of the image names
what was saved with it. And the files show it themselves, in case a run was killed before the line
was written, or the manifest was lost: images and frames carry the request in their record, other
artifacts the image's key. A path that neither source knows is not its own, except for an
image file that was cut off before any pixels: nothing is lost with that.

An image that the manifest names may have been edited since. A complete picture therefore counts as
the image's own only if its record still says so.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError, UsageError
from sheepgen.metadata.image_file import IMAGE_FORMATS, MAX_FILE_BYTES, read_record
from sheepgen.output.artifacts import ARTIFACTS
from sheepgen.output.manifest import path_keys
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.output.manifest import Manifest
    from sheepgen.output.template import Target
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["FolderNames", "check_replaceable", "find_obstacle", "free_target", "own_paths"]

_PNG, _JPEG, _RIFF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"
"""How files of our formats begin. WebP is a RIFF, which states its length."""


class FolderNames:
    """The names of what is in folders, each of which is listed once for any number of images."""

    def __init__(self) -> None:
        self._names: dict[Path, list[str] | None] = {}

    def may_include(self, target: Target) -> bool:
        """Check whether there is anything whose name begins as those of the target do."""
        if target.folder not in self._names:
            self._names[target.folder] = _list(target.folder)
        names, stem = self._names[target.folder], target.stem.casefold()
        if names is None:
            return True
        place = bisect_left(names, stem)
        return place < len(names) and names[place].startswith(stem)


def _list(folder: Path) -> list[str] | None:
    """Return what is in a folder in order, without regard to case; None if it cannot be read."""
    try:
        return sorted(path.name.casefold() for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return None


def own_paths(target: Target, request: ResolvedRequest, manifest: Manifest) -> frozenset[str]:
    """Return the names of the target's paths that exist and were made for this image."""
    named = _named(target, manifest)
    if target.path in named and _is_complete_picture(target.path):
        named.remove(target.path)
    return frozenset(
        name
        for name, path in target.paths().items()
        if os.path.lexists(path)
        and (path in named or _shows_its_image(name, path, target, request))
    )


def find_obstacle(target: Target, *, overwrite: bool = False) -> Path | None:
    """Return the first of the target's paths that exists and must not be replaced.

    Args:
        target: Its ``own`` paths may be replaced.
        overwrite: Whether all may be, as far as they are files or folders of frames.
    """
    for name, path in target.paths().items():
        allowed = overwrite or name in target.own
        if os.path.lexists(path) and not (allowed and _can_replace(name, path)):
            return path
    return None


def check_replaceable(target: Target, *, overwrite: bool) -> None:
    """Refuse a target if one of its paths exists and must not be replaced.

    Raises:
        UsageError: If there is such a path.
    """
    path = find_obstacle(target, overwrite=overwrite)
    if path is None:
        return
    if overwrite or find_obstacle(target, overwrite=True) == path:
        raise UsageError(
            f"{path} already exists and is neither a file nor a folder with only frames in it.",
            "Move it, or choose another --output.",
        )
    raise UsageError(
        f"{path} already exists, and was made for another image or edited since.",
        "Move it, choose another --output, or use --overwrite.",
    )


def free_target(target: Target, *, overwrite: bool = False) -> Target:
    """Return the target, or with the first counter (``_2`` ...) that is free if it is taken."""
    if find_obstacle(target, overwrite=overwrite) is None:
        return target
    numbered = (
        replace(target, stem=f"{target.stem}_{number}", own=frozenset()) for number in count(2)
    )
    return next(candidate for candidate in numbered if find_obstacle(candidate) is None)


def _can_replace(name: str, path: Path) -> bool:
    """Check whether nothing else is lost if what is at ``path`` is replaced."""
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        return True
    return any(each.name == name and each.is_folder_of_its_files(path) for each in ARTIFACTS)


def _named(target: Target, manifest: Manifest) -> set[Path]:
    """Return the paths that the manifest names as saved together with this very image."""
    line = manifest.saved_as(target.path)
    if line is None or line["key"] != target.key:
        return set()
    return {manifest.folder / path for path in map(line.get, path_keys()) if path is not None}


def _shows_its_image(name: str, path: Path, target: Target, request: ResolvedRequest) -> bool:
    """Check by its content alone whether an existing path was made for this image."""
    if path.is_symlink():
        return False
    if name == "image":
        return _has_record_of(path, request) or _holds_no_picture(path, target.suffix)
    (artifact,) = (each for each in ARTIFACTS if each.name == name)
    return artifact.was_made_for(path, request, target.key)


def _has_record_of(path: Path, request: ResolvedRequest) -> bool:
    try:
        return read_record(path).request == request
    except OutputError:
        return False


def _holds_no_picture(path: Path, suffix: str) -> bool:
    """Check whether an image file is empty, or was cut off before its pixels."""
    try:
        data = read_untrusted(path, max_bytes=MAX_FILE_BYTES)
    except OSError:
        return False
    if not data.strip(b"\0"):  # what a crashed disk may leave
        return True
    match IMAGE_FORMATS[suffix.lower()]:
        case "PNG":
            return _begins(data, _PNG) and b"IDAT" not in data
        case "JPEG":
            # Fourteen bytes are the scan's own header.
            return _begins(data, _JPEG) and b"\xff\xda" not in data[:-14]
        case _:  # WebP, which shows nothing until it is complete
            size = int.from_bytes(data[4:8], "little") + 8
            return _begins(data, _RIFF) and (len(data) < 8 or len(data) < size)


def _is_complete_picture(path: Path) -> bool:
    """Check whether a file is a picture in any of our formats, and was not cut off."""
    try:
        data = read_untrusted(path, max_bytes=MAX_FILE_BYTES)
    except OSError:
        return False
    return (
        (data.startswith(_PNG) and b"IEND" in data)
        or (data.startswith(_JPEG) and b"\xff\xd9" in data)
        or (data.startswith(_RIFF) and len(data) >= int.from_bytes(data[4:8], "little") + 8)
    )


def _begins(data: bytes, signature: bytes) -> bool:
    """Check whether data begins with the signature, as far as it goes."""
    return data[: len(signature)] == signature[: len(data)]
