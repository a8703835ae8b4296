"""Pictures to start from, drawn for tests."""

from __future__ import annotations

import struct
import zlib

from PIL import Image


def photograph(width: int, height: int) -> Image.Image:
    """Return an RGB picture in which every place has another colour."""
    red = Image.linear_gradient("L").resize((width, height))
    green = Image.radial_gradient("L").resize((width, height))
    blue = red.transpose(Image.Transpose.ROTATE_180)
    return Image.merge("RGB", (red, green, blue))


def bomb() -> bytes:
    """Return a PNG of 20,000 by 20,000 pixels, in a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    )
