"""The images of a sweep as one animation beside them, in the order in which they are shown.

animation.webp     or .gif, or .mp4
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from sheepgen.errors import OutputError, UsageError
from sheepgen.metadata.image_file import UNREADABLE, open_image
from sheepgen.output.animation import encode_pictures
from sheepgen.output.atomic import output_errors, staging_folder, write_synced
from sheepgen.output.video import check_video, encode_mp4
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from PIL import Image

    from sheepgen.sweep.overview import Overview

__all__ = ["MAX_FPS", "SweepAnimation", "SweepAnimationKind", "check_animation", "write_animation"]

SweepAnimationKind = Literal["webp", "gif", "mp4"]

MAX_FPS = 60

_MARK = "sheepgen-sweep-animation"
_MAX_BYTES = 2**30
_END_MS = 1000
"""How long the first and the last image are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepAnimation:
    """What the animation is to be.

    Args:
        kind: ``webp``, ``gif`` (256 colours an image) or ``mp4``; the first two have at most 512
            pixels a side.
        fps: Images a second, above 0 and at most `MAX_FPS`. The first and the last one are shown
            for a second.

    Raises:
        UsageError: If the kind is unknown, the rate out of range, or MP4 cannot be encoded here.
    """

    kind: SweepAnimationKind = "webp"
    fps: float = 12.0

    def __post_init__(self) -> None:
        """Check both."""
        if self.kind not in get_args(SweepAnimationKind):
            raise UsageError(
                f'Unknown animation "{excerpt(self.kind)}".',
                f"Known: {', '.join(get_args(SweepAnimationKind))}.",
            )
        if not 0 < self.fps <= MAX_FPS:
            raise UsageError(f"fps must be above 0 and at most {MAX_FPS}, got {self.fps:g}.")
        if self.kind == "mp4":
            check_video()

    def path(self, folder: Path) -> Path:
        """Return where it goes."""
        return folder / f"animation.{self.kind}"


def check_animation(
    folder: Path, overview: Overview, animation: SweepAnimation, *, overwrite: bool = False
) -> None:
    """Refuse a folder, before images are generated, if the animation cannot be saved there.

    Args:
        folder: The sweep's.
        overview: Its images, whether they are there or not.
        animation: What it is to be.
        overwrite: Whether it may replace an animation of other images.

    Raises:
        OutputError: If something else has its name.
    """
    path = animation.path(folder)
    if not (path.is_symlink() or path.exists()):
        return
    data = b"" if path.is_symlink() else _read(path)
    if _MARK.encode() not in data:
        raise OutputError(
            f"{path} already exists and is not the animation of a sweep.",
            "Move it, or choose another folder with --output.",
        )
    if not overwrite and _mark(overview).encode() not in data:
        raise OutputError(
            f"{path} is the animation of other images.",
            "Choose another folder with --output, or replace it with --overwrite.",
        )


def _read(path: Path) -> bytes:
    try:
        return read_untrusted(path, max_bytes=_MAX_BYTES)
    except OSError:
        return b""


def _mark(overview: Overview) -> str:
    """Return what the file says of itself: whose it is, and which images it shows."""
    keys = "\n".join(image.key for image in overview.images)
    return f"{_MARK} {hashlib.sha256(keys.encode()).hexdigest()}"


def write_animation(
    folder: Path, overview: Overview, animation: SweepAnimation, *, overwrite: bool = False
) -> Path:
    """Write the animation, in place of an earlier one of the same images.

    Args:
        folder: The sweep's.
        overview: Its images, all of which are there.
        animation: What it is to be.
        overwrite: Whether it may replace an animation of other images.

    Returns:
        Its path.

    Raises:
        OutputError: If an image cannot be read, something else has the animation's name, or the
            folder cannot be written to.
    """
    check_animation(folder, overview, animation, overwrite=overwrite)
    pictures = [*_pictures(image.path for image in overview.images if image.path is not None)]
    durations = [round(1000 / animation.fps)] * len(pictures)
    durations[0], durations[-1] = _END_MS, _END_MS
    mark = _mark(overview)
    if animation.kind == "mp4":
        data = encode_mp4(pictures, durations, mark=mark)
    else:
        data = encode_pictures(pictures, durations, animation.kind, mark=mark)
    path = animation.path(folder)
    with output_errors(folder), staging_folder(folder) as staging:
        write_synced(staging / path.name, data)
        # Again, as time has passed.
        check_animation(folder, overview, animation, overwrite=overwrite)
        (staging / path.name).replace(path)
    return path


def _pictures(paths: Iterable[Path]) -> Iterable[Image.Image]:
    for path in paths:
        try:
            with open_image(path) as image:
                yield image.convert("RGB")
        except UNREADABLE as error:
            raise OutputError(
                f"{path} cannot be read.", "Run it again to generate it anew."
            ) from error
