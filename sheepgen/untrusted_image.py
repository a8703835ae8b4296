"""Opening an image file that may be anybody's: few formats, bounded sizes, no pixel decoded yet."""

from __future__ import annotations

import struct
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.image_file import IMAGE_FORMATS, MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["UNREADABLE", "open_image"]

UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises on files that are damaged, no images, or larger than honest ones."""


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open a PNG, JPEG or WebP.

    Raises:
        One of `UNREADABLE`.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged EXIF: what is whole is read
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=sorted(set(IMAGE_FORMATS.values()))) as image:
            yield image
