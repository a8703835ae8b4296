"""Small pictures of a sweep's images for its page, each with some of its steps side by side.

    sweep_thumbnails/KEY.webp     steps from left to right, the image last, all of one size

A thumbnail that is newer than its image is kept.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.metadata.image_file import UNREADABLE, open_image
from sheepgen.output.atomic import output_errors, staging_folder, write_synced
from sheepgen.output.card import MIN_THUMBNAIL, thumbnail_size
from sheepgen.output.filmstrip import spread

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sheepgen.sweep.overview import PlacedImage

__all__ = ["THUMBNAILS_NAME", "Thumbnail", "is_thumbnail_folder", "write_thumbnails"]

THUMBNAILS_NAME = "sweep_thumbnails"

_MAX_TILES = 12
_FILE_NAME = re.compile(r"[0-9a-f]{64}\.webp")
_FRAME_NAME = re.compile(r"step_([0-9]{3,})\.png")
_QUALITY = 75
_MISSING_COLOUR = (128, 128, 128)


@dataclass(frozen=True, kw_only=True, slots=True)
class Thumbnail:
    """A small picture of an image.

    Args:
        path: Its file, a WebP.
        size: Width and height of one tile, in pixels.
        steps: What each tile shows, from left to right: ``start``, numbers of steps, ``image``.
    """

    path: Path
    size: tuple[int, int]
    steps: tuple[str, ...]


def is_thumbnail_folder(folder: Path) -> bool:
    """Check whether a path is a folder, not a link, with nothing but thumbnails in it."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return all(_FILE_NAME.fullmatch(path.name) for path in folder.iterdir())


def write_thumbnails(folder: Path, images: Iterable[PlacedImage]) -> dict[str, Thumbnail]:
    """Write the thumbnails that are missing or older than their images.

    Args:
        folder: The sweep's.
        images: Those that are not there, or cannot be read, get none.

    Returns:
        Thumbnails by the keys of their images.

    Raises:
        OutputError: If the folder cannot be written to.
    """
    home = folder / THUMBNAILS_NAME
    thumbnails: dict[str, Thumbnail] = {}
    with output_errors(folder), staging_folder(folder) as staging:
        home.mkdir(exist_ok=True)
        for image in images:
            size = None if image.path is None else _tile_size(image.path)
            if image.path is None or size is None or image.key in thumbnails:
                continue
            tiles = _tiles(image.path, image.frames)
            path = home / f"{image.key}.webp"
            if not _is_current(path, image.path, (size[0] * len(tiles), size[1])):
                write_synced(staging / path.name, _encode([*tiles.values()], size))
                (staging / path.name).replace(path)
            thumbnails[image.key] = Thumbnail(path=path, size=size, steps=tuple(tiles))
    return thumbnails


def _tiles(image: Path, frames: Path | None) -> dict[str, Path]:
    """Return the pictures of the tiles by what they show."""
    steps: dict[int, Path] = {}
    if frames is not None and frames.is_dir():
        for path in frames.iterdir():
            if name := _FRAME_NAME.fullmatch(path.name):
                steps[int(name[1])] = path
    numbers = sorted(steps)
    chosen = [numbers[place] for place in spread(len(numbers), _MAX_TILES - 1)]
    return {**{str(number or "start"): steps[number] for number in chosen}, "image": image}


def _tile_size(path: Path) -> tuple[int, int] | None:
    """Return the size of the image's thumbnail, or None if the file cannot be read."""
    try:
        with open_image(path) as image:
            return thumbnail_size(image.size, (MIN_THUMBNAIL, MIN_THUMBNAIL))
    except UNREADABLE:
        return None


def _is_current(thumbnail: Path, image: Path, size: tuple[int, int]) -> bool:
    """Check whether a thumbnail is newer than its image, and has as many tiles as it should."""
    try:
        if thumbnail.stat().st_mtime_ns <= image.stat().st_mtime_ns:
            return False
        with open_image(thumbnail) as opened:
            return opened.size == size
    except UNREADABLE:
        return False


def _encode(pictures: list[Path], size: tuple[int, int]) -> bytes:
    """Return tiles side by side as a WebP; one that cannot be read is grey."""
    width, height = size
    row = Image.new("RGB", (width * len(pictures), height), _MISSING_COLOUR)
    for place, path in enumerate(pictures):
        try:
            with open_image(path) as opened:
                enlarged = width > opened.width
                resample = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
                row.paste(opened.convert("RGB").resize(size, resample), (place * width, 0))
        except UNREADABLE:
            continue
    buffer = io.BytesIO()
    row.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue()
