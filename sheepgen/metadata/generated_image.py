"""A Pillow image that knows how it was made, and says so in every file that it is saved to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sheepgen.metadata.image_file import IMAGE_FORMATS, check_format, save_options

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord

__all__ = ["GeneratedImage"]


class GeneratedImage(Image.Image):
    """An image as it came out of the model, with its record.

    It is a Pillow image in everything else. What is derived from it (a copy, a crop, a smaller one)
    is a plain one, for the record would not be true of it.

    Args:
        image: Its pixels, which it shares.
        record: How it was made.
    """

    def __init__(self, image: Image.Image, record: ImageRecord) -> None:
        super().__init__()
        vars(self).update(vars(image))
        self.record = record

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002, ANN401
        """Save as Pillow does, in the qualities that ``sheepgen`` uses, with the record.

        Args:
            fp: A path, or a file that is open for writing.
            format: Pillow's name of the format, if the path's ending does not say it. PNG, JPEG
                and WebP carry the record.
            params: Pillow's own, in place of ours. ``pnginfo`` and ``exif`` take the place of the
                record.

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
