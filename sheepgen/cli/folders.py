"""The folders that images go to, made ready before a model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.cli.console import note
from sheepgen.output.atomic import prepare_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console

__all__ = ["prepare_folders"]


def prepare_folders(folders: Iterable[Path], console: Console) -> None:
    """Make the folders and try their locks, so that nothing is drawn that cannot be saved.

    Raises:
        OutputError: If one of them cannot be written to.
    """
    unlocked = [folder for folder in sorted(folders) if not prepare_folder(folder)]
    if unlocked:
        note(
            console,
            f"The file system of {unlocked[0]} has no locks. Use it from one process at a time: "
            "several could draw the same image twice, or replace each other's files. What a "
            "killed run leaves there (.sheepgen-*, .claim-*) is not cleaned up.",
        )
