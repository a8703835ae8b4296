"""One picture that tells how an image came to be: noise on the left, the image on the right.

The strip is a dark card with round corners and nothing around them, so that it sits well on a
white page and on a dark one.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.events import FrameDecoded

__all__ = ["MAX_COLUMNS", "draw_filmstrip", "encode_filmstrip", "spread"]

MAX_COLUMNS = 10
MAX_WIDTH = 1600
MAX_THUMBNAIL = 256
MIN_THUMBNAIL = 128
"""Pictures of at most half this side are enlarged by a whole factor, pixel by pixel."""

_CARD = (24, 26, 32, 255)
_TITLE_COLOUR = (236, 238, 242, 255)
_DETAIL_COLOUR = (154, 160, 172, 255)
_TITLE_SIZE = 20
_DETAIL_SIZE = 16
_LABEL_HEIGHT = 64
_MIN_PITCH = 120
_GAP = 12
_MARGIN = 20


def spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` indices out of ``range(count)``: evenly spaced, both ends in it.

    Args:
        count: At least 0.
        limit: At least 2.
    """
    if count <= limit:
        return list(range(count))
    return [round(place * (count - 1) / (limit - 1)) for place in range(limit)]


def draw_filmstrip(frames: Sequence[FrameDecoded], image: Image.Image) -> Image.Image:
    """Draw frames in a row, with their steps and timesteps, and the finished image behind them.

    Args:
        frames: In the order of their steps. Of many, `MAX_COLUMNS` less one are drawn.
        image: The finished image, RGB.

    Returns:
        RGBA, with thumbnails of at most 256 pixels a side.
    """
    chosen = [frames[place] for place in spread(len(frames), MAX_COLUMNS - 1)]
    columns = [(frame.image, *_labels(frame)) for frame in chosen]
    columns.append((image, "image", f"{image.width}x{image.height}"))

    width, height = _thumbnail_size(image, len(columns))
    pitch = max(width + _GAP, _MIN_PITCH)
    resample = Image.Resampling.NEAREST if width > image.width else Image.Resampling.LANCZOS
    size = (2 * _MARGIN + len(columns) * pitch - _GAP, _MARGIN + height + _LABEL_HEIGHT)
    strip = Image.new("RGBA", size)
    draw = ImageDraw.Draw(strip)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), _MARGIN // 2, fill=_CARD)
    title_font, detail_font = map(ImageFont.load_default, (_TITLE_SIZE, _DETAIL_SIZE))
    for column, (picture, title, detail) in enumerate(columns):
        middle = _MARGIN + column * pitch + (pitch - _GAP) // 2
        thumbnail = picture.convert("RGB").resize((width, height), resample)
        strip.paste(thumbnail, (middle - width // 2, _MARGIN))
        below = _MARGIN + height
        draw.text((middle, below + 22), title, _TITLE_COLOUR, title_font, anchor="mm")
        draw.text((middle, below + 44), detail, _DETAIL_COLOUR, detail_font, anchor="mm")
    return strip


def encode_filmstrip(frames: Sequence[FrameDecoded], image: Image.Image) -> bytes:
    """Return the filmstrip as the bytes of a PNG."""
    buffer = io.BytesIO()
    draw_filmstrip(frames, image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _labels(frame: FrameDecoded) -> tuple[str, str]:
    title = f"{frame.step} / {frame.total_steps}" if frame.step else "noise"
    return title, f"t {frame.timestep:.0f}"


def _thumbnail_size(image: Image.Image, columns: int) -> tuple[int, int]:
    side = max(image.size)
    room = (MAX_WIDTH - 2 * _MARGIN) // columns - _GAP
    scale = min(MAX_THUMBNAIL, room) / side
    if side <= MIN_THUMBNAIL // 2:
        scale = MIN_THUMBNAIL // side
    elif side <= room:
        scale = min(1.0, scale)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))
