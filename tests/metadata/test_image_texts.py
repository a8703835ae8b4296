"""Texts wherever programs put them, in files that may be hostile."""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from PIL import ExifTags, Image

from sheepgen.errors import OutputError
from sheepgen.metadata import image_texts
from sheepgen.metadata.image_texts import XMP, read_texts
from tests.samples import sample_image

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "一只羊, «straße»"


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(path: Path, *chunks: bytes, after_pixels: bool = False) -> Path:
    """Write a PNG with more chunks, before its pixels or after them."""
    sample_image().save(path)
    data = path.read_bytes()
    place = data.index(b"IEND" if after_pixels else b"IDAT") - 4
    path.write_bytes(data[:place] + b"".join(chunks) + data[place:])
    return path


@pytest.mark.parametrize("after_pixels", [False, True])
@pytest.mark.parametrize(
    "written",
    [
        chunk(b"tEXt", b"key\0" + TEXT.encode()),
        chunk(b"zTXt", b"key\0\0" + zlib.compress(TEXT.encode())),
        chunk(b"iTXt", b"key\0\0\0\0\0" + TEXT.encode()),
        chunk(b"iTXt", b"key\0\1\0de\0word\0" + zlib.compress(TEXT.encode())),
    ],
)
def test_a_png_has_texts_before_and_after_its_pixels(
    tmp_path: Path, written: bytes, *, after_pixels: bool
) -> None:
    path = png(tmp_path / "x.png", written, after_pixels=after_pixels)
    assert read_texts(path).texts == {"key": TEXT}


def test_latin_1_is_read_where_it_is_no_utf8(tmp_path: Path) -> None:
    path = png(tmp_path / "x.png", chunk(b"tEXt", b"key\0" + "straße".encode("latin-1")))
    assert read_texts(path).texts == {"key": "straße"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_exif_is_read_in_every_format(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = "a program"
    exif[ExifTags.Base.ImageDescription] = "x" * len(TEXT.encode())
    path = tmp_path / f"x{suffix}"
    # Pillow itself writes ASCII alone.
    data = exif.tobytes().replace(b"x" * len(TEXT.encode()), TEXT.encode())
    sample_image().save(path, exif=data)
    assert read_texts(path).texts == {
        "exif:Software": "a program",
        "exif:ImageDescription": TEXT,
    }


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_xmp_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    sample_image().save(path, xmp=b"<x>sheep</x>")
    assert read_texts(path).texts == {XMP: "<x>sheep</x>"}


def test_a_damaged_text_is_passed_over_and_said(tmp_path: Path) -> None:
    broken = bytearray(chunk(b"tEXt", b"key\0a sheep"))
    broken[-6] ^= 1
    whole = chunk(b"tEXt", b"other\0a goat")
    nonsense = chunk(b"zTXt", b"packed\0\0nonsense")
    found = read_texts(png(tmp_path / "x.png", bytes(broken), nonsense, whole))
    assert found.texts == {"other": "a goat"}
    assert found.is_damaged
    (tmp_path / "torn.png").write_bytes((tmp_path / "x.png").read_bytes()[:60])
    assert read_texts(tmp_path / "torn.png").is_damaged


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(image_texts.MAX_TEXT_BYTES + 1), 9)
    packed = chunk(b"zTXt", b"bomb\0\0" + bomb)
    plain = chunk(b"tEXt", b"long\0" + bytes(image_texts.MAX_TEXT_BYTES))
    small = chunk(b"tEXt", b"key\0a sheep")
    found = read_texts(png(tmp_path / "x.png", packed, plain, small))
    assert found.texts == {"key": "a sheep"}
    assert found.too_large == {"bomb", "long"}


def test_the_texts_of_a_file_are_bounded_together(tmp_path: Path) -> None:
    four = b"x" * image_texts.MAX_TEXT_BYTES
    packed = [chunk(b"zTXt", b"%d\0\0" % n + zlib.compress(four)) for n in range(200)]
    found = read_texts(png(tmp_path / "x.png", *packed))
    size = sum(map(len, found.texts.values()))
    assert size <= image_texts.MAX_TOTAL_BYTES + image_texts.MAX_TEXT_BYTES
    many = [chunk(b"tEXt", b"%d\0x" % n) for n in range(20_000)]
    found = read_texts(png(tmp_path / "many.png", *many))
    assert len(found.texts) == image_texts.MAX_TEXTS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 50,
        b"\xff\xd8\xff",
        b"\xff\xd8" + b"\xff" * 3_000_000,
        b"\xff\xd8\xff\xe1\0\0",
        b"\xff\xd8" + b"\xff\xe1\0\x02" * 100_000,
        b"\xff\xd8\xff\xe1\0\x10Exif\0\0MM\0*\xff\xff\xff\xff",
        b"RIFF\0\0\0\0WEBP",
        b"RIFF\0\0\0\0WEBPEXIF\xff\xff\xff\xff",
        b"RIFF\0\0\0\0WEBPEXIF\xff\0\0\0II*\0",
    ],
)
def test_cut_and_senseless_files_end(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with suppress(OutputError):  # it is none of the three; another error is not right
        assert read_texts(path).texts == {}


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "device.png", "."):
        with pytest.raises(OutputError, match="it is not a file"):
            read_texts(tmp_path / name)
