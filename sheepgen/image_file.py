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
import struct
import warnings
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError, UsageError
from sheepgen.infotext import to_parameters
from sheepgen.metadata import from_json, to_json
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

    from sheepgen.metadata import ImageRecord
    from sheepgen.request import GenerationRequest

__all__ = ["IMAGE_FORMATS", "check_format", "encode_image", "read_record"]

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
    if kind == "PNG":
        info = _png_texts(record, texts or {})
        image.save(buffer, kind, pnginfo=info, compress_level=_PNG_EFFORT)
    elif kind == "JPEG":
        image.save(buffer, kind, quality=95, subsampling=0, exif=_exif(record))
    else:
        image.save(buffer, kind, lossless=True, exif=_exif(record))
    return buffer.getvalue()


def read_record(path: Path) -> ImageRecord:
    """Return the record that an image carries.

    Raises:
        OutputError: If the file is no such image, carries no record, or a malformed one.
    """
    text = _record_text(path)
    if text is None:
        raise OutputError(
            f"{path} carries no record.",
            "It was not made by sheepgen, or another program has taken the record out.",
        )
    try:
        return from_json(text)
    except OutputError as error:
        raise OutputError(f"{path}: {error.message}", error.hint) from error


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


def _record_text(path: Path) -> str | None:
    from PIL import Image

    try:
        if not path.is_file():
            raise OutputError(f"There is no image file {path}.", "Check the path.")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise OutputError(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB.")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=sorted(set(IMAGE_FORMATS.values()))) as image:
                if image.format == "PNG":
                    text = image.info.get("sheepgen")
                else:
                    text = image.getexif().get(_IMAGE_DESCRIPTION)
    except (
        OSError,
        ValueError,
        SyntaxError,
        struct.error,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise OutputError(f"{path} cannot be read as a PNG, JPEG or WebP image.") from error
    return text if isinstance(text, str) else None
