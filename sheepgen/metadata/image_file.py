"""Image files: write an image with its record, read the record back, and open untrusted files.

    PNG   text `parameters` (AUTOMATIC1111's) and `sheepgen` (the record as JSON)
    JPEG  EXIF UserComment (`parameters`, in UTF-16) and ImageDescription (the JSON)
    WebP  the same EXIF; the pixels are kept without loss

UserComment is where readers of AUTOMATIC1111's files look in a JPEG or WebP, so it holds nothing
else. The JSON is ASCII, as EXIF wants ImageDescription to be.

The same image and record give the same bytes. A file that is read may come from any program
(`sheepgen.metadata.image_texts` reads its texts); only what sheepgen wrote counts as a record. When
its pixels are opened, formats and sizes are limited.
"""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
import zlib
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from sheepgen.errors import OutputError, UsageError
from sheepgen.fields import HASHED_FIELDS
from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.exif_texts import DESCRIPTION
from sheepgen.metadata.image_texts import (
    MAX_BLOCKS,
    MAX_FILE_BYTES,
    PNG_SIGNATURE,
    PNG_TEXTS,
    image_file_errors,
    not_an_image,
    read_texts,
)
from sheepgen.metadata.record_json import from_json, to_json
from sheepgen.request import TEMPLATES
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from sheepgen.metadata.image_texts import ImageTexts
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.request import GenerationRequest

__all__ = [
    "IMAGE_FORMATS",
    "MAX_FILE_BYTES",
    "STEP_KEY",
    "UNREADABLE",
    "check_format",
    "decode_untrusted",
    "encode_image",
    "image_errors",
    "no_record",
    "open_image",
    "read_record",
    "record_in",
    "save_options",
]

IMAGE_FORMATS: Mapping[str, str] = MappingProxyType(
    {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
)
"""Pillow's name of the format by the file extension, in lower case."""

STEP_KEY = "sheepgen-step"
"""Text key of a PNG of an intermediate step: ``3/20``. Its record is the finished image's."""

MAX_JPEG_PROMPT_BYTES = 4_000
"""EXIF in a JPEG is limited to 64 KiB, and one byte of a prompt can become 14 there: two as UTF-16,
and six as a JSON escape, which is repeated if the word is among the truncated or unused ones."""

_PNG_OPTIONS = {"compress_type": zlib.Z_RLE}
"""Filtered rows of pixels repeat little but their last value, and zlib looks for nothing else then.
An image takes a third of the time of Pillow's default, and a few percent less room."""

_UNICODE_COMMENT = b"UNICODE\0"

_PARAMETERS_KEY = "parameters"
_RECORD_KEY = "sheepgen"
_OUR_JSON = re.compile(r'\s*+\{\s*+"(?:format"\s*+:\s*+\d++\s*+,\s*+"request|environment)"\s*+:')
"""The beginning of a record, as written here or with sorted keys. Cameras and editors write other
descriptions, which may be JSON too."""

_TOO_MANY_PIXELS = (Image.DecompressionBombError, Image.DecompressionBombWarning)

UNREADABLE = (OSError, ValueError, SyntaxError, struct.error, *_TOO_MANY_PIXELS)
"""What Pillow raises on files that are damaged, too large, or not images."""


def check_format(suffix: str, request: GenerationRequest) -> None:
    """Check that a file format can hold the request, before anything is generated.

    Raises:
        UsageError: If the suffix is not a known format, or the prompts are too long for a JPEG.
    """
    kind = IMAGE_FORMATS.get(suffix.lower())
    if kind is None:
        raise UsageError(
            f'Unknown image format "{excerpt(suffix)}".',
            f"Use {', '.join(IMAGE_FORMATS)}.",
        )
    names = (*TEMPLATES, *TEMPLATES.values(), "branch", "model", *HASHED_FIELDS)
    size = len("".join(getattr(request, name) or "" for name in names).encode())
    if kind == "JPEG" and size > MAX_JPEG_PROMPT_BYTES:
        raise UsageError(
            "The prompt is too long for the metadata of a JPEG.", "Save as .png instead."
        )


def encode_image(
    image: Image.Image,
    record: ImageRecord | None,
    suffix: str,
    *,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    """Return the bytes of an image file that carries its record.

    Args:
        image: RGB; a PNG may have alpha, too.
        record: Written into the file; None for a PNG without one.
        suffix: A key of `IMAGE_FORMATS`, in any case.
        texts: More text entries, for PNG only.
    """
    buffer = io.BytesIO()
    kind = IMAGE_FORMATS[suffix.lower()]
    image.save(buffer, kind, **save_options(record, kind, texts=texts))
    return buffer.getvalue()


def save_options(
    record: ImageRecord | None, kind: str, *, texts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the arguments of Pillow's ``save`` that write a record into a file.

    Args:
        record: Of the image; None for a PNG without one.
        kind: Pillow's name of the format; one that is not in `IMAGE_FORMATS` cannot hold a record.
        texts: As for `encode_image`.
    """
    match kind:
        case "PNG":
            return {"pnginfo": _png_texts(record, texts or {}), **_PNG_OPTIONS}
        case _ if record is None:
            return {}
        case "JPEG":
            return {"quality": 95, "subsampling": 0, "exif": _exif(record)}
        case "WEBP":
            return {"lossless": True, "exif": _exif(record)}
        case _:
            return {}


def read_record(path: Path) -> ImageRecord:
    """Return the record of an image.

    Raises:
        OutputError: If the file is not such an image, or its record is missing or malformed.
    """
    record = record_in(read_texts(path), path)
    if record is None:
        raise no_record(path)
    return record


def no_record(path: Path) -> OutputError:
    """Return what to raise if an image has no record."""
    return OutputError(
        f"{path} has no record.",
        "It was not generated by sheepgen, or another program removed the record.",
    )


def record_in(found: ImageTexts, path: Path) -> ImageRecord | None:
    """Return the record among the texts of an image, or None if there is none.

    Raises:
        OutputError: If it is malformed, or if the image is damaged and may have had one.
    """
    text = _record_text(found)
    if text is None:
        if found.is_damaged and not found.texts:
            raise not_an_image(path)
        if _RECORD_KEY in found.too_large:
            raise OutputError(f"{path}: The record is too large to be valid.")
        return None
    try:
        return from_json(text)
    except OutputError as error:
        raise OutputError(f"{path}: {error.message}", error.hint) from error


def _record_text(found: ImageTexts) -> str | None:
    """Return the record among the texts of an image, unparsed."""
    if (text := found.texts.get(_RECORD_KEY)) is not None:
        return text
    text = found.texts.get(DESCRIPTION, "")
    return text if _OUR_JSON.match(text) else None


def _png_texts(record: ImageRecord | None, texts: Mapping[str, str]) -> PngInfo:
    info = PngInfo()
    entries = dict(texts)
    if record is not None:
        entries = {_PARAMETERS_KEY: to_parameters(record), _RECORD_KEY: to_json(record), **texts}
    for key, value in entries.items():
        if _looks_like_utf8(value):
            info.add_itxt(key, value)
        else:
            info.add_text(key, value)  # becomes iTXt if the text is not Latin-1
    return info


def _looks_like_utf8(text: str) -> bool:
    """Return whether Latin-1 text could be mistaken for UTF-8, as ``Ã©`` for ``é``."""
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return not text.isascii()


def _exif(record: ImageRecord) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = to_json(record)
    comment = to_parameters(record).encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = _UNICODE_COMMENT + comment
    return exif.tobytes()


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open a PNG, JPEG or WebP; its texts are read by `sheepgen.metadata.image_texts`.

    Args:
        path: Of the file.

    Raises:
        One of `UNREADABLE`.
    """
    with (
        open_untrusted(path, max_bytes=MAX_FILE_BYTES) as file,
        decode_untrusted(file) as image,
    ):
        yield image


@contextmanager
def decode_untrusted(file: BinaryIO) -> Iterator[Image.Image]:
    """Do what `open_image` does, with a file that is open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF: what is intact is read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(_without_texts(file), formats=("JPEG", "PNG", "WEBP")) as image:
            yield image


@contextmanager
def image_errors(path: Path) -> Iterator[None]:
    """Turn what `open_image` raises into an `OutputError` that says what is wrong."""
    with image_file_errors(path):
        try:
            yield
        except _TOO_MANY_PIXELS as error:
            raise OutputError(
                f"{path} is too large: more than {Image.MAX_IMAGE_PIXELS:,} pixels.",
                "The limit is 8192x8192 pixels.",
            ) from error
        except FileNotFoundError:
            raise
        except UNREADABLE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise not_an_image(path) from error


def _without_texts(file: BinaryIO) -> BinaryIO:
    """Return a PNG without its texts, which Pillow would unpack, and refuse above a size.

    Its EXIF, which is not packed, says how it is to be turned.

    A file of any other format is returned as it is.
    """
    if file.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
        file.seek(0)
        return file
    kept = io.BytesIO(PNG_SIGNATURE)
    kept.seek(0, os.SEEK_END)
    for _ in range(MAX_BLOCKS):
        if len(head := file.read(8)) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        if kind in PNG_TEXTS - {b"eXIf"}:
            file.seek(length + 4, os.SEEK_CUR)
        else:
            kept.write(head + file.read(length + 4))
    kept.seek(0)
    return kept
