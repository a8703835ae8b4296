"""A Pillow image that carries its record, and writes it to every file it is saved to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sheepgen.metadata.image_file import IMAGE_FORMATS, check_format, save_options

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord

__all__ = ["GeneratedImage"]


class GeneratedImage(Image.Image):
    """An image as generated, with its record.

    In all else it is a Pillow image. Images derived from it (a copy, a crop, a thumbnail) are plain
    ones, because the record would not describe them.

    Args:
        image: Its pixels, which it shares.
        record: How it was generated.
    """

    def __init__(self, image: Image.Image, record: ImageRecord) -> None:
        super().__init__()
        vars(self).update(vars(image))
        self.record = record

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002, ANN401
        """Save as Pillow does, with the quality that ``sheepgen`` uses, and with the record.

        Args:
            fp: A path, or a file that is open for writing.
            format: Pillow's name of the format, if the path's extension does not give it. PNG,
                JPEG and WebP carry the record.
            params: Pillow's own, instead of ours. ``pnginfo`` and ``exif`` replace the record.

        Raises:
            UsageError: If the prompts are too long for a JPEG.
        """
        suffix = Path(fp).suffix.lower() if isinstance(fp, str | Path) else ""
        kind = (format or IMAGE_FORMATS.get(suffix, "")).upper()
        if kind == "JPEG":
            check_format(".jpg", self.record.request)
        super().save(fp, format, **{**save_options(self.record, kind), **params})

    def __getstate__(self) -> list[Any]:
        """Return what `copy` and `pickle` keep."""
        return [self.record, *super().__getstate__()]

    def __setstate__(self, state: list[Any]) -> None:
        """Take back what `__getstate__` returned."""
        self.record, *pixels = state
        super().__setstate__(pixels)
