"""Files and folders that are whole or not there, so that an interrupted run can resume."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["atomic_write", "replace_folder"]


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; what is there at the end is renamed into place.

    A folder can be written as well, where there is none yet. Nothing is renamed after an error.
    It does not protect against a power cut.

    Raises:
        OSError: If it cannot be renamed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    if partial.is_dir():
        shutil.rmtree(partial)
    yield partial
    partial.replace(path)


def replace_folder(folder: Path, new: Path, *, old: Path) -> None:
    """Move the folder ``new`` to where ``folder`` is, and what is there to ``old``.

    Raises:
        OSError: If it cannot be moved; then what was there is there again.
    """
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        if old.exists():
            old.rename(folder)
        raise
