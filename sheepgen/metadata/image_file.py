"""Image files that carry their record, and getting the record back out of one.

    PNG   text `parameters` (AUTOMATIC1111's) and `sheepgen` (the record as JSON)
    JPEG  EXIF UserComment (`parameters`, in UTF-16) and ImageDescription (the JSON)
    WebP  the same EXIF; the pixels are kept without loss

UserComment is where readers of AUTOMATIC1111's files look in a JPEG or WebP, so it holds nothing
else. The JSON is ASCII, as EXIF wants ImageDescription to be.

The same image and record give the same bytes. A file that is read may be anybody's, and carry
texts of any program's (`sheepgen.metadata.image_texts`); only what this package wrote is a record.
"""

from __future__ import annotations

import io
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError, UsageError
from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.exif_texts import COMMENT, DESCRIPTION
from sheepgen.metadata.image_texts import MAX_FILE_BYTES, not_an_image, read_texts
from sheepgen.metadata.record import from_json, to_json
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

    from sheepgen.metadata.image_texts import ImageTexts
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.request import GenerationRequest

__all__ = [
    "IMAGE_FORMATS",
    "MAX_FILE_BYTES",
    "STEP_KEY",
    "check_format",
    "encode_image",
    "find_record",
    "read_parameters_text",
    "read_record",
    "record_in",
    "save_options",
]

IMAGE_FORMATS: Mapping[str, str] = MappingProxyType(
    {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
)
"""Pillow's name of the format by the ending of a file's name, in small letters."""

STEP_KEY = "sheepgen-step"
"""The text of a PNG that shows a step on the way: ``3/20``. Its record is the finished image's."""

MAX_JPEG_PROMPT_BYTES = 4_000
"""EXIF in a JPEG ends at 64 KiB, and one byte of a prompt can become 14 there: two as UTF-16,
and six as a JSON escape, which comes again where the word is among the truncated ones."""

_PNG_EFFORT = 3
"""Of 9. More takes twice the time and saves a few percent; a run can save fifty frames."""

_UNICODE_COMMENT = b"UNICODE\0"

_PARAMETERS_KEY = "parameters"
_RECORD_KEY = "sheepgen"
_OUR_JSON = re.compile(r'\s*+\{\s*+"(?:format"\s*+:\s*+\d++\s*+,\s*+"request|environment)"\s*+:')
"""How a record begins, as it is written here or with its keys in order. Cameras and editors have
other descriptions, which may be JSON, too."""


def check_format(suffix: str, request: GenerationRequest) -> None:
    """Refuse a file that could not hold the request, before anything is drawn.

    Raises:
        UsageError: If the suffix names no format, or the prompts are too long for a JPEG.
    """
    kind = IMAGE_FORMATS.get(suffix.lower())
    if kind is None:
        raise UsageError(
            f"Images cannot be written as {excerpt(suffix)}.",
            f"Use one of {', '.join(IMAGE_FORMATS)}.",
        )
    size = len((request.prompt + request.negative_prompt + request.model).encode())
    if kind == "JPEG" and size > MAX_JPEG_PROMPT_BYTES:
        raise UsageError("The prompt is too long to be stored in a JPEG.", "Write a .png.")


def encode_image(
    image: Image, record: ImageRecord, suffix: str, *, texts: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of an image file that carries its record.

    Args:
        image: RGB.
        record: Written into the file.
        suffix: A key of `IMAGE_FORMATS`, in any case.
        texts: More PNG text entries; the other formats have no room for them.
    """
    buffer = io.BytesIO()
    kind = IMAGE_FORMATS[suffix.lower()]
    image.save(buffer, kind, **save_options(record, kind, texts=texts))
    return buffer.getvalue()


def save_options(
    record: ImageRecord, kind: str, *, texts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what Pillow's ``save`` takes to write a record into a file.

    Args:
        record: Of the image.
        kind: Pillow's name of the format; in one that is not of `IMAGE_FORMATS` no record fits.
        texts: As for `encode_image`.
    """
    match kind:
        case "PNG":
            return {"pnginfo": _png_texts(record, texts or {}), "compress_level": _PNG_EFFORT}
        case "JPEG":
            return {"quality": 95, "subsampling": 0, "exif": _exif(record)}
        case "WEBP":
            return {"lossless": True, "exif": _exif(record)}
        case _:
            return {}


def read_record(path: Path) -> ImageRecord:
    """Return the record that an image carries.

    Raises:
        OutputError: If the file is no such image, carries no record, or a malformed one.
    """
    record = find_record(path)
    if record is None:
        raise OutputError(
            f"{path} carries no record.",
            "It was not made by sheepgen, or another program has taken the record out.",
        )
    return record


def find_record(path: Path) -> ImageRecord | None:
    """Return the record that an image carries, or None if it carries none.

    Raises:
        OutputError: If the file is no such image, or its record is malformed.
    """
    return record_in(read_texts(path), path)


def record_in(found: ImageTexts, path: Path) -> ImageRecord | None:
    """Return the record among the texts of an image, or None if there is none.

    Raises:
        OutputError: If it is malformed, or the image is damaged and may have had one.
    """
    text = _record_text(found)
    if text is None:
        if found.is_damaged and not found.texts:
            raise not_an_image(path)
        if _RECORD_KEY in found.too_large:
            raise OutputError(f"{path}: The record is too large to be one of sheepgen's.")
        return None
    try:
        return from_json(text)
    except OutputError as error:
        raise OutputError(f"{path}: {error.message}", error.hint) from error


def _record_text(found: ImageTexts) -> str | None:
    """Return the record among the texts of an image as it stands there."""
    if (text := found.texts.get(_RECORD_KEY)) is not None:
        return text
    text = found.texts.get(DESCRIPTION, "")
    return text if _OUR_JSON.match(text) else None


def read_parameters_text(path: Path) -> str | None:
    """Return AUTOMATIC1111's ``parameters`` of an image that any program made, if it has them.

    Raises:
        OutputError: If the file is no such image.
    """
    texts = read_texts(path).texts
    return texts.get(_PARAMETERS_KEY) or texts.get(COMMENT)


def _png_texts(record: ImageRecord, texts: Mapping[str, str]) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    entries = {_PARAMETERS_KEY: to_parameters(record), _RECORD_KEY: to_json(record), **texts}
    for key, value in entries.items():
        if _looks_like_utf8(value):
            info.add_itxt(key, value)
        else:
            info.add_text(key, value)  # turns to iTXt where the text is not Latin-1
    return info


def _looks_like_utf8(text: str) -> bool:
    """Say whether Latin-1 text would be taken for UTF-8, as ``Ã©`` is for ``é``."""
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return not text.isascii()


def _exif(record: ImageRecord) -> bytes:
    from PIL import ExifTags, Image

    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = to_json(record)
    comment = to_parameters(record).encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = _UNICODE_COMMENT + comment
    return exif.tobytes()
