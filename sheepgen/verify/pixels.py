"""Read the picture in a file, and measure how far it is from another."""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

from sheepgen.errors import OutputError
from sheepgen.metadata.image_file import STEP_KEY, encode_image, image_errors, open_image
from sheepgen.metadata.image_texts import read_texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sheepgen.metadata.record import ImageRecord

__all__ = [
    "Picture",
    "PixelDifference",
    "Shape",
    "as_jpeg",
    "measure",
    "read_picture",
    "read_shape",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Size and format of a picture, from the beginning of its file.

    Args:
        size: Width and height in pixels.
        is_jpeg: Whether the pixels were compressed with loss.
    """

    size: tuple[int, int]
    is_jpeg: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """The picture in a file.

    Args:
        image: Its pixels.
        is_jpeg: Whether they were compressed with loss.
    """

    image: Image.Image
    is_jpeg: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelDifference:
    """How far two pictures of the same size are apart.

    Args:
        largest: The largest difference of two levels, 0 to 255.
        share: Share of the pixels that differ, 0 to 1.
        psnr_db: Peak signal-to-noise ratio in decibels; infinite if nothing differs.
    """

    largest: int
    share: float
    psnr_db: float


def read_shape(path: Path) -> Shape:
    """Read size and format of the one picture in a file, without decoding its pixels.

    Raises:
        OutputError: As `read_picture`, except for damage to the pixels.
    """
    with _opened_single(path) as image:
        return Shape(size=image.size, is_jpeg=image.format == "JPEG")


def read_picture(path: Path) -> Picture:
    """Decode the one picture in a file.

    Raises:
        OutputError: If it cannot be read, is an intermediate step, or is an animation.
    """
    with _opened_single(path) as image:
        image.load()
        return Picture(image=image.copy(), is_jpeg=image.format == "JPEG")


def as_jpeg(image: Image.Image, record: ImageRecord) -> Image.Image:
    """Return the image after JPEG compression, with the quality that sheepgen uses."""
    with Image.open(io.BytesIO(encode_image(image, record, ".jpg"))) as saved:
        saved.load()
        return saved.copy()


def measure(shown: Image.Image, expected: Image.Image) -> PixelDifference | None:
    """Compare two pictures, or return None if they differ in size."""
    if shown.size != expected.size:
        return None
    # With alpha, so that a pixel turned transparent counts as changed.
    bands = ImageChops.difference(shown.convert("RGBA"), expected.convert("RGBA")).split()
    levels = reduce(ImageChops.lighter, bands).histogram()
    pixels = shown.width * shown.height
    squares = sum(
        count * level**2 for band in bands for level, count in enumerate(band.histogram())
    )
    return PixelDifference(
        largest=max(level for level, count in enumerate(levels) if count),
        share=1 - levels[0] / pixels,
        psnr_db=10 * math.log10(255**2 * 3 * pixels / squares) if squares else math.inf,
    )


@contextmanager
def _opened_single(path: Path) -> Iterator[Image.Image]:
    with image_errors(path), open_image(path) as image:
        if STEP_KEY in read_texts(path).texts:
            raise OutputError(
                f"{path} is an intermediate step, not the finished image.",
                "Its record is the finished image's.",
            )
        if getattr(image, "n_frames", 1) > 1:
            raise OutputError(f"{path} is an animation.", "Only single pictures can be verified.")
        yield image
