"""The way from noise to image as an animation: GIF, which plays everywhere, or WebP."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

from PIL import ExifTags, Image

from sheepgen.output.filmstrip import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.events import FrameDecoded

__all__ = ["AnimationKind", "encode_animation"]

AnimationKind = Literal["gif", "webp"]

MAX_FRAMES = 60
MAX_SIDE = 512

_FRAME_MS = 120
_LAST_FRAME_MS = 2500


def encode_animation(
    frames: Sequence[FrameDecoded],
    image: Image.Image,
    kind: AnimationKind,
    *,
    key: str = "",
) -> bytes:
    """Encode an endless animation that ends, and pauses, on the finished image.

    Args:
        frames: In the order of their steps. At most `MAX_FRAMES` - 1 of them are shown.
        image: The finished image, RGB. The animation has at most 512 pixels per side.
        kind: ``gif`` has 256 colours a frame, ``webp`` has all.
        key: Of the image, written to the file as it is, so that it can be found there.
    """
    scale = min(1.0, MAX_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shown = [frames[place].image for place in spread(len(frames), MAX_FRAMES - 1)]
    pictures = [
        picture.convert("RGB").resize(size, Image.Resampling.LANCZOS) for picture in (*shown, image)
    ]
    durations = [_FRAME_MS] * len(shown) + [_LAST_FRAME_MS]
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = f"sheepgen-key {key}"
    options: dict[str, object] = {"quality": 90, "exif": exif} if key else {"quality": 90}
    if kind == "gif":
        # One palette a frame: a shared one would be spent on the noise.
        pictures = [picture.quantize(256) for picture in pictures]
        options = {"optimize": False, "disposal": 1}
        options |= {"comment": f"sheepgen-key {key}".encode()} if key else {}
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        kind.upper(),
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        **options,
    )
    return buffer.getvalue()
