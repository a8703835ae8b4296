"""Read the texts of an EXIF block, whichever program wrote them and wherever it put them.

Programs put them where they like: UserComment belongs in the second directory and is also found in
the first, and its first eight bytes name a character set that says little about the rest.
"""

from __future__ import annotations

import contextlib
import warnings
from types import MappingProxyType
from typing import TYPE_CHECKING

from PIL import ExifTags

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COMMENT", "DESCRIPTION", "MODEL", "SOFTWARE", "exif_texts"]

COMMENT = "exif:UserComment"
DESCRIPTION = "exif:ImageDescription"
SOFTWARE = "exif:Software"
MODEL = "exif:Model"

_TAGS: Mapping[int, str] = MappingProxyType(
    {
        ExifTags.Base.ImageDescription: DESCRIPTION,
        ExifTags.Base.Model: MODEL,
        ExifTags.Base.Software: SOFTWARE,
        ExifTags.Base.UserComment: COMMENT,
    }
)


def exif_texts(data: bytes) -> dict[str, str]:
    """Return the texts of an EXIF block by ``exif:`` and the name of their tag.

    Of damaged EXIF, what is intact is returned.
    """
    from PIL import Image

    exif = Image.Exif()
    found: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF
        try:
            exif.load(data)
            directories = [dict(exif), exif.get_ifd(ExifTags.IFD.Exif)]
        except Exception:  # noqa: BLE001 - whatever Pillow makes of untrusted bytes
            return found
    for directory in directories:
        for tag, key in _TAGS.items():
            if text := _text(directory.get(tag), is_comment=key == COMMENT):
                found[key] = text
    return found


def _text(value: object, *, is_comment: bool) -> str:
    if isinstance(value, str):
        # Pillow reads Latin-1, as the standard says; many programs write UTF-8.
        with contextlib.suppress(UnicodeError):
            value = value.encode("latin-1").decode("utf-8")
        return value.strip("\0")
    if not isinstance(value, bytes):
        return ""
    return _comment(value) if is_comment else value.decode("utf-8", "replace").strip("\0")


def _comment(value: bytes) -> str:
    """Read a comment, whichever character set its first eight bytes name."""
    charset, text = value[:8], value[8:]
    match charset:
        case b"UNICODE\0":
            return text.decode(_unicode_order(text), "replace").strip("\ufeff\0")
        case b"JIS\0\0\0\0\0":
            return text.decode("iso2022_jp_2", "replace").strip("\0")
        case b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0":
            return text.decode("utf-8", "replace").strip("\0")
        case _:
            return value.decode("utf-8", "replace").strip("\0")


def _unicode_order(text: bytes) -> str:
    """Return the encoding of a UNICODE comment: EXIF does not say which byte comes first.

    Spaces, line breaks and digits have a zero as their higher byte, in all languages.
    """
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" not in text and _is_utf8(text):
        return "utf-8"
    zeros_first, zeros_second = text[0::2].count(0), text[1::2].count(0)
    return "utf-16-le" if zeros_second > zeros_first else "utf-16-be"


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
