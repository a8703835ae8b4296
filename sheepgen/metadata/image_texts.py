"""Read the texts of an image file, whichever program wrote them and wherever it put them.

    PNG   tEXt, zTXt and iTXt chunks, before the pixels or after them; EXIF in an eXIf chunk
    JPEG  EXIF and XMP in APP1 segments
    WebP  EXIF and XMP chunks

The file is untrusted. Its containers are walked and its pixels skipped, so the size and the content
of the picture do not matter; what is read and unpacked is bounded.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError
from sheepgen.metadata.exif_texts import exif_texts
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

__all__ = [
    "MAX_FILE_BYTES",
    "PNG_SIGNATURE",
    "PNG_TEXTS",
    "XMP",
    "ImageTexts",
    "image_file_errors",
    "not_an_image",
    "read_texts",
]

MAX_FILE_BYTES = 256 * 2**20
MAX_TEXT_BYTES = 4 * 2**20
"""Of one text, unpacked. ComfyUI's graphs have one or two million."""

MAX_TEXTS = 1_000
MAX_TOTAL_BYTES = 16 * 2**20
"""Of all texts of a file, unpacked; the rest is skipped."""

MAX_BLOCKS = 1_000_000
"""Chunks of a file; a PNG of the largest size has 33,000 of the usual 8 KiB."""

XMP = "XML:com.adobe.xmp"
"""The key of XMP, as PNG files have it."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_EXIF = b"Exif\0\0"
PNG_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf"})
_WEBP_TEXTS = frozenset({b"EXIF", b"XMP "})


@dataclass(slots=True)
class ImageTexts:
    """The texts of a file.

    Args:
        texts: By a PNG's keyword, by ``exif:`` and the tag's name, or `XMP`. The last of
            several with the same key counts.
        too_large: Keys of texts that were left out because of their size.
        is_damaged: Whether the file ends before its pixels, or a text is corrupt.
    """

    texts: dict[str, str] = field(default_factory=dict)
    too_large: set[str] = field(default_factory=set)
    is_damaged: bool = False
    _room: int = MAX_TOTAL_BYTES

    def spend(self, size: int) -> bool:
        """Take ``size`` bytes from the remaining room, and return whether there was any."""
        had_room = self._room > 0
        self._room -= size
        return had_room

    def put(self, key: str, text: str) -> None:
        """Add a text if there is room for it."""
        if text and len(self.texts) < MAX_TEXTS and self.spend(len(text)):
            self.texts[key] = text

    def put_exif(self, data: bytes) -> None:
        """Add the texts of an EXIF block."""
        for key, text in exif_texts(data).items():
            self.put(key, text)


def read_texts(path: Path) -> ImageTexts:
    """Return the texts of a PNG, JPEG or WebP.

    Raises:
        OutputError: If the file cannot be read, is too large, or is none of these.
    """
    with image_file_errors(path), open_untrusted(path, max_bytes=MAX_FILE_BYTES) as file:
        start = file.read(12)
        found = ImageTexts()
        if start.startswith(PNG_SIGNATURE):
            file.seek(len(PNG_SIGNATURE))
            _read_png(file, found)
        elif start.startswith(_JPEG):
            file.seek(2)
            _read_jpeg(file, found)
        elif start.startswith(b"RIFF") and start.endswith(b"WEBP"):
            _read_webp(file, found)
        else:
            raise not_an_image(path)
        return found


@contextmanager
def image_file_errors(path: Path) -> Iterator[None]:
    """Turn errors from opening a file into an `OutputError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise OutputError(f"No such file: {path}.") from error
    except OSError as error:
        if error.errno == errno.EFBIG:
            message = f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB."
            raise OutputError(message) from error
        reason = "it is not a file" if error.errno == errno.EINVAL else error.strerror
        raise OutputError(f"{path} cannot be read: {reason}.") from error
    except ValueError as error:  # a NUL in the path
        raise OutputError(f"No such file: {path}.") from error


def not_an_image(path: Path) -> OutputError:
    """Return the error for a file that is damaged or not an image."""
    return OutputError(f"{path} cannot be read as a PNG, JPEG or WebP image.")


def _read_png(file: BufferedReader, found: ImageTexts) -> None:
    """Walk the chunks: length, name, content and a checksum over name and content."""
    has_pixels = False
    for _ in range(MAX_BLOCKS):
        head = file.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind == b"IDAT":
            has_pixels = True
        if kind not in PNG_TEXTS:
            file.seek(length + 4, os.SEEK_CUR)
        elif length > MAX_TEXT_BYTES:
            found.too_large.add(_decode(file.read(80).partition(b"\0")[0]))
            file.seek(length + 4 - 80, os.SEEK_CUR)
        else:
            content, checksum = file.read(length), file.read(4)
            if checksum == struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))):
                _take_png_text(kind, content, found)
            else:
                found.is_damaged = True
    if not has_pixels:
        found.is_damaged = True


def _take_png_text(kind: bytes, content: bytes, found: ImageTexts) -> None:
    if kind == b"eXIf":
        found.put_exif(content)
        return
    keyword, _, rest = content.partition(b"\0")
    key, packed = _decode(keyword), kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]  # the compression method; there is only one
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        *_, rest = rest[2:].split(b"\0", 2)  # language and translated keyword
    if packed:
        if not found.spend(0):
            return
        try:
            rest = zlib.decompressobj().decompress(rest, MAX_TEXT_BYTES + 1)
        except zlib.error:
            found.is_damaged = True
            return
        found.spend(len(rest))
        if len(rest) > MAX_TEXT_BYTES:
            found.too_large.add(key)
            return
    found.put(key, rest.decode("utf-8", "replace") if kind == b"iTXt" else _decode(rest))


def _read_jpeg(file: BufferedReader, found: ImageTexts) -> None:
    """Walk the segments that come before the pixels: a marker and, mostly, a length."""
    for _ in range(MAX_BLOCKS):
        marker = file.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            break
        if marker[1] == 0xFF:  # padding
            file.seek(-1, os.SEEK_CUR)
            continue
        if marker[1] in (0xD9, 0xDA):  # the end, or the pixels
            return
        if marker[1] == 0x01 or 0xD0 <= marker[1] <= 0xD8:  # these have no content
            continue
        length = int.from_bytes(file.read(2), "big") - 2
        content = file.read(max(0, length))
        if length < 0 or len(content) < length:
            break
        if marker[1] == 0xE1 and content.startswith(_JPEG_EXIF):
            found.put_exif(content)
        elif marker[1] == 0xE1 and content.startswith(_JPEG_XMP):
            found.put(XMP, content.removeprefix(_JPEG_XMP).decode("utf-8", "replace"))
    found.is_damaged = True


def _read_webp(file: BufferedReader, found: ImageTexts) -> None:
    """Walk the chunks: a name, a length and the content, padded to even length."""
    for _ in range(MAX_BLOCKS):
        head = file.read(8)
        if len(head) < 8:
            return
        kind, length = struct.unpack("<4sI", head)
        if kind not in _WEBP_TEXTS or length > MAX_TEXT_BYTES:
            file.seek(length + length % 2, os.SEEK_CUR)
            continue
        content = file.read(length + length % 2)
        if len(content) < length:
            break
        if kind == b"EXIF":
            found.put_exif(content)
        else:
            found.put(XMP, content.decode("utf-8", "replace").rstrip("\0"))
    found.is_damaged = True


def _decode(text: bytes) -> str:
    """Read Latin-1, as the format says, or UTF-8, which many programs write instead."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
