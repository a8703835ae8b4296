"""Which files at an image's names were made for it, so that making it again may replace them.

Two things show it. The manifest's line for the image names what was saved with it; and products
say for themselves what they belong to, in case a run was killed before the line was written, or the
manifest was lost: images and frames carry the request in their record, filmstrips and animations
the image's key. Whatever neither shows, such as a filmstrip of an older version without its line,
is taken to be somebody else's; but nobody loses a file that was cut off before its picture began.

An image that the manifest names may have been edited since. A whole picture counts as the sweep's
own only if it still says itself that it is this image.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError
from sheepgen.metadata.image_file import IMAGE_FORMATS, MAX_FILE_BYTES, read_record
from sheepgen.output.manifest import PRODUCTS
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.output.manifest import Manifest
    from sheepgen.output.template import Target
    from sheepgen.request import ResolvedRequest

__all__ = ["holds_only_frames", "own_products"]

_PNG, _JPEG, _RIFF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"
"""How files of our formats begin; WebP is a RIFF, which says how long it is."""

_FRAME_NAME = re.compile(r"(step|noisy)_[0-9]{3,}\.png")


def own_products(target: Target, request: ResolvedRequest, manifest: Manifest) -> frozenset[str]:
    """Return which of the target's products are there and were made for this image.

    Args:
        target: Of the image.
        request: What the image is, with every field resolved.
        manifest: Of the folder.
    """
    named = _named(target, manifest)
    image = target.products["image"]
    if image in named and _is_whole_picture(image):
        named.remove(image)
    return frozenset(
        product
        for product, path in target.products.items()
        if os.path.lexists(path) and (path in named or _shows(product, path, target, request))
    )


def holds_only_frames(folder: Path) -> bool:
    """Say whether a folder holds nothing but files that are called as frames are."""
    try:
        with os.scandir(folder) as entries:
            return all(
                _FRAME_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
                for entry in entries
            )
    except OSError:
        return False


def _named(target: Target, manifest: Manifest) -> set[Path]:
    """Return the paths that the manifest names as made together with this very image."""
    line = manifest.maker(target.products["image"])
    if line is None or line["key"] != target.key:
        return set()
    return {manifest.folder / path for path in map(line.get, PRODUCTS) if path is not None}


def _shows(product: str, path: Path, target: Target, request: ResolvedRequest) -> bool:
    """Say whether what lies there is a product of this image by its own content."""
    if path.is_symlink():
        return False
    match product:
        case "image":
            return _is_of(path, request) or _holds_no_picture(path, target.suffix)
        case "frames":
            return holds_only_frames(path) and all(
                _is_of(frame, request) for frame in path.iterdir()
            )
        case _:
            return _holds(path, target.key)


def _is_of(path: Path, request: ResolvedRequest) -> bool:
    try:
        return read_record(path).request == request
    except OutputError:
        return False


def _holds(path: Path, key: str) -> bool:
    try:
        return bool(key) and key.encode() in read_untrusted(path, max_bytes=MAX_FILE_BYTES)
    except OSError:
        return False


def _holds_no_picture(path: Path, suffix: str) -> bool:
    """Say whether an image file is empty, or was cut off before there is anything to see in it."""
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
        case _:  # WebP, which shows nothing until it is whole
            size = int.from_bytes(data[4:8], "little") + 8
            return _begins(data, _RIFF) and (len(data) < 8 or len(data) < size)


def _is_whole_picture(path: Path) -> bool:
    """Say whether a file is a picture of any of our formats, and was not cut off."""
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
    """Say whether data begins with the signature, as far as there is any."""
    return data[: len(signature)] == signature[: len(data)]
