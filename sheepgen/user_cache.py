"""The user's cache folder: files that only save time and may be lost at any moment."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_folder", "write_cache"]


def cache_folder() -> Path:
    """Return sheepgen's own folder in the user's cache; it need not exist."""
    return user_cache_path("sheepgen", appauthor=False)


def write_cache(path: Path, text: str) -> None:
    """Write a file completely or not at all; if it cannot be written, nothing happens."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
