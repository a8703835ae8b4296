"""Opening an image file that may be anybody's: few formats, bounded sizes, no pixel decoded yet."""

from __future__ import annotations

import struct
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.errors import OutputError
from sheepgen.metadata.image_texts import (
    MAX_FILE_BYTES,
    image_file_errors,
    not_an_image,
    without_texts,
)
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["UNREADABLE", "image_errors", "open_image"]

_TOO_MANY_PIXELS = (Image.DecompressionBombError, Image.DecompressionBombWarning)

UNREADABLE = (OSError, ValueError, SyntaxError, struct.error, *_TOO_MANY_PIXELS)
"""What Pillow raises on files that are damaged, no images, or larger than honest ones."""


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open a PNG, JPEG or WebP; its texts are read by `sheepgen.metadata.image_texts`.

    Args:
        path: Of the file.

    Raises:
        One of `UNREADABLE`.
    """
    with open_untrusted(path, max_bytes=MAX_FILE_BYTES) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged EXIF: what is whole is read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(without_texts(file), formats=("JPEG", "PNG", "WEBP")) as image:
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
                "Pictures of at most 8192x8192 pixels are made and compared.",
            ) from error
        except FileNotFoundError:
            raise
        except UNREADABLE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise not_an_image(path) from error
