"""Pictures as an animation: GIF, which plays everywhere, or WebP.

The way from noise to image is one, and the images of a sweep; `sheepgen.output.video` makes MP4.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from PIL import ExifTags, Image

from sheepgen.output.filmstrip import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.events import FrameDecoded

__all__ = ["AnimationKind", "encode_animation", "encode_pictures"]

AnimationKind = Literal["gif", "webp"]

MAX_FRAMES = 60
MAX_SIDE = 512

_FRAME_MS = 120
_LAST_FRAME_MS = 2500


def encode_animation(
    frames: Sequence[FrameDecoded],
    image: Image.Image | None,
    kind: AnimationKind,
    *,
    key: str = "",
) -> bytes:
    """Encode an endless animation that ends, and pauses, on the finished image or the last frame.

    Args:
        frames: In the order of their steps. At most `MAX_FRAMES` - 1 of them are shown.
        image: The finished image, RGB, or None. The animation has at most 512 pixels per side.
        kind: ``gif`` has 256 colours a frame, ``webp`` has all.
        key: Of the image, written to the file as it is, so that it can be found there.
    """
    if image is None:
        frames, image = frames[:-1], frames[-1].image
    shown = [frames[place].image for place in spread(len(frames), MAX_FRAMES - 1)]
    durations = [_FRAME_MS] * len(shown) + [_LAST_FRAME_MS]
    return encode_pictures([*shown, image], durations, kind, mark=key and f"sheepgen-key {key}")


def encode_pictures(
    pictures: Sequence[Image.Image],
    durations: Sequence[int],
    kind: AnimationKind,
    *,
    mark: str = "",
) -> bytes:
    """Encode an endless animation, of at most 512 pixels a side.

    Args:
        pictures: In their order; they come out as large as the last one.
        durations: How long each is shown, in milliseconds.
        kind: ``gif`` has 256 colours a frame, ``webp`` has all.
        mark: Written to the file as it is, so that it can be found there.
    """
    width, height = pictures[-1].size
    scale = min(1.0, MAX_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    scaled = [picture.convert("RGB").resize(size, Image.Resampling.LANCZOS) for picture in pictures]
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = mark
    options: dict[str, object] = {"quality": 90, "exif": exif} if mark else {"quality": 90}
    if kind == "gif":
        # One palette a frame: a shared one would be spent on the noise.
        scaled = [picture.quantize(256) for picture in scaled]
        options = {"optimize": False, "disposal": 1}
        options |= {"comment": mark.encode()} if mark else {}
    buffer = io.BytesIO()
    scaled[0].save(
        buffer,
        kind.upper(),
        save_all=True,
        append_images=scaled[1:],
        duration=[*durations],
        loop=0,
        **options,
    )
    return buffer.getvalue()
