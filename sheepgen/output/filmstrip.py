"""One picture of how an image came to be: noise on the left, the finished image on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from sheepgen.metadata.image_file import encode_image
from sheepgen.output.card import (
    DETAIL_COLOUR,
    GAP,
    MARGIN,
    MAX_THUMBNAIL,
    TITLE_COLOUR,
    new_card,
    thumbnail_size,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.events import FrameDecoded

__all__ = [
    "MAX_COLUMNS",
    "draw_filmstrip",
    "encode_filmstrip",
    "spread",
]

MAX_COLUMNS = 10
MAX_WIDTH = 1600
_TITLE_SIZE = 20
_DETAIL_SIZE = 16
_LABEL_HEIGHT = 64
_MIN_PITCH = 120


def spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` indices out of ``range(count)``: evenly spaced, both ends in it.

    Args:
        count: At least 0.
        limit: At least 2.
    """
    if count <= limit:
        return list(range(count))
    return [round(place * (count - 1) / (limit - 1)) for place in range(limit)]


def draw_filmstrip(frames: Sequence[FrameDecoded], image: Image.Image | None) -> Image.Image:
    """Draw frames in a row, with their steps and timesteps, and the finished image after them.

    Args:
        frames: In the order of their steps. At most `MAX_COLUMNS` - 1 are drawn.
        image: The finished image, RGB; None if the last frame is all that there is.

    Returns:
        RGBA, with thumbnails of at most 256 pixels per side.
    """
    chosen = [frames[place] for place in spread(len(frames), MAX_COLUMNS - (image is not None))]
    columns = [(frame.image, *_labels(frame)) for frame in chosen]
    if image is None:
        image = columns[-1][0]
    else:
        columns.append((image, "image", f"{image.width}x{image.height}"))

    room = min(MAX_THUMBNAIL, (MAX_WIDTH - 2 * MARGIN) // len(columns) - GAP)
    width, height = thumbnail_size(image.size, (room, room))
    pitch = max(width + GAP, _MIN_PITCH)
    resample = Image.Resampling.NEAREST if width > image.width else Image.Resampling.LANCZOS
    size = (2 * MARGIN + len(columns) * pitch - GAP, MARGIN + height + _LABEL_HEIGHT)
    strip = new_card(size)
    draw = ImageDraw.Draw(strip)
    title_font, detail_font = map(ImageFont.load_default, (_TITLE_SIZE, _DETAIL_SIZE))
    for column, (picture, title, detail) in enumerate(columns):
        middle = MARGIN + column * pitch + (pitch - GAP) // 2
        thumbnail = picture.convert("RGB").resize((width, height), resample)
        strip.paste(thumbnail, (middle - width // 2, MARGIN))
        below = MARGIN + height
        draw.text((middle, below + 22), title, TITLE_COLOUR, title_font, anchor="mm")
        draw.text((middle, below + 44), detail, DETAIL_COLOUR, detail_font, anchor="mm")
    return strip


def encode_filmstrip(
    frames: Sequence[FrameDecoded], image: Image.Image | None, *, key: str = ""
) -> bytes:
    """Return the filmstrip as the bytes of a PNG.

    Args:
        frames: As `draw_filmstrip` takes them.
        image: Likewise.
        key: Of the image, written into the file as it is, so that it can be found there.
    """
    texts = {"sheepgen-key": key} if key else {}
    return encode_image(draw_filmstrip(frames, image), None, ".png", texts=texts)


def _labels(frame: FrameDecoded) -> tuple[str, str]:
    if frame.kind == "forward":
        first = "picture" if frame.is_first else "upscaled"
        level = "more noise" if frame.sigma is None else f"noise {frame.sigma:.2f}"
        title = first if frame.step == frame.steps_before else level
    elif frame.is_first and frame.step == frame.steps_before:
        title = "noise" if frame.request.image is None else "start"
    else:
        title = f"{frame.step} / {frame.total_steps}"
    return title, f"t {frame.timestep:.0f}"
