"""Image files that carry their record, and getting the record back out of one.

    PNG   text `parameters` (AUTOMATIC1111's) and `sheepgen` (the record as JSON)
    JPEG  EXIF UserComment (`parameters`, in UTF-16) and ImageDescription (the JSON)
    WebP  the same EXIF; the pixels are kept without loss

UserComment is where readers of AUTOMATIC1111's files look in a JPEG or WebP, so it holds nothing
else. The JSON is ASCII, as EXIF wants ImageDescription to be.

The same image and record give the same bytes. A file that is read may be anybody's: only these
three formats are opened, sizes are bounded, and no pixel is decoded.
"""

from __future__ import annotations

import io
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError, UsageError
from sheepgen.infotext import to_parameters
from sheepgen.metadata import from_json, to_json
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from PIL.Image import Exif, Image
    from PIL.PngImagePlugin import PngInfo

    from sheepgen.metadata import ImageRecord
    from sheepgen.request import GenerationRequest

__all__ = [
    "IMAGE_FORMATS",
    "check_format",
    "encode_image",
    "find_record",
    "read_parameters_text",
    "read_record",
    "save_options",
]

IMAGE_FORMATS: Mapping[str, str] = MappingProxyType(
    {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
)
"""Pillow's name of the format by the ending of a file's name, in small letters."""

MAX_FILE_BYTES = 256 * 2**20
MAX_JPEG_PROMPT_BYTES = 4_000
"""EXIF in a JPEG ends at 64 KiB, and one byte of a prompt can become 14 there: two as UTF-16,
and six as a JSON escape, which comes again where the word is among the truncated ones."""

_PNG_EFFORT = 3
"""Of 9. More takes twice the time and saves a few percent; a run can save fifty frames."""

_EXIF_IFD = 0x8769
_IMAGE_DESCRIPTION = 0x010E
_USER_COMMENT = 0x9286
_UNICODE_COMMENT = b"UNICODE\0"
_ASCII_COMMENT = b"ASCII\0\0\0"
_UNDEFINED_COMMENT = bytes(8)


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
    text = _carried_text(path, "sheepgen", lambda exif: exif.get(_IMAGE_DESCRIPTION))
    if text is None:
        return None
    try:
        return from_json(text)
    except OutputError as error:
        raise OutputError(f"{path}: {error.message}", error.hint) from error


def read_parameters_text(path: Path) -> str | None:
    """Return AUTOMATIC1111's ``parameters`` of an image that any program made, if it has them.

    Raises:
        OutputError: If the file is no such image.
    """
    return _carried_text(path, "parameters", _user_comment)


def _png_texts(record: ImageRecord, texts: Mapping[str, str]) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    entries = {"parameters": to_parameters(record), "sheepgen": to_json(record), **texts}
    for key, value in entries.items():
        info.add_text(key, value)  # turns to iTXt where the text is not Latin-1
    return info


def _exif(record: ImageRecord) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = to_json(record)
    comment = to_parameters(record).encode("utf-16-be")
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = _UNICODE_COMMENT + comment
    return exif.tobytes()


def _user_comment(exif: Exif) -> str | None:
    """Return EXIF's UserComment, whichever charset its first eight bytes name."""
    comment = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    if isinstance(comment, str):
        return comment
    if not isinstance(comment, bytes):
        return None
    if comment.startswith(_UNICODE_COMMENT):
        comment = comment.removeprefix(_UNICODE_COMMENT)
        # EXIF does not say which byte comes first, and few writers do. The keys of the parameters
        # are the same in every language, and only there in the right order.
        texts = [comment.decode(order, "replace") for order in ("utf-16-be", "utf-16-le")]
        text = next((text for text in texts if "Seed: " in text), texts[0])
        return text.strip("\ufeff\0")
    comment = comment.removeprefix(_ASCII_COMMENT).removeprefix(_UNDEFINED_COMMENT)
    return comment.decode("utf-8", "replace").strip("\0")


def _carried_text(path: Path, png_key: str, exif_text: Callable[[Exif], object]) -> str | None:
    """Return a text of a PNG by its key, or of another image by what ``exif_text`` takes out."""
    from sheepgen.untrusted_image import UNREADABLE, open_image

    if not path.is_file():
        raise OutputError(f"There is no image file {path}.", "Check the path.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise OutputError(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB.")
    try:
        with open_image(path) as image:
            is_png = image.format == "PNG"
            text = image.info.get(png_key) if is_png else exif_text(image.getexif())
    except UNREADABLE as error:
        raise OutputError(f"{path} cannot be read as a PNG, JPEG or WebP image.") from error
    return text if isinstance(text, str) and text else None
