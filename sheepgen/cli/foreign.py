"""Other programs' images on the command line: what ``show`` and ``rerun`` share."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sheepgen.cli.console import note

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from sheepgen.metadata.image_texts import ImageTexts
    from sheepgen.metadata.parsed_parameters import ParsedParameters

__all__ = ["note_not_mapped", "recipe_in"]

_MAX_NOTES = 20
"""Notes on one image; it may say as much as it likes."""


def recipe_in(found: ImageTexts, path: Path) -> ParsedParameters:
    """Return what the texts of an image without a record ask for.

    Raises:
        OutputError: If they ask for nothing, or cannot be read.
    """
    from sheepgen.errors import OutputError
    from sheepgen.metadata.other_programs import find_parameters

    recipe = find_parameters(found)
    if recipe is None or not (recipe.settings or recipe.not_mapped):
        raise OutputError(
            f"{path} carries no record and no parameters.",
            "They were never in it, or another program has taken them out.",
        )
    return recipe


def note_not_mapped(console: Console, recipe: ParsedParameters) -> None:
    """Print which program made an image, and what it says that sheepgen has no setting for."""
    from sheepgen.sanitize import excerpt

    if recipe.program is not None:
        note(console, f"Made by {excerpt(recipe.program)}.")
    for said in islice(recipe.not_mapped, _MAX_NOTES):
        note(console, f"Not mapped: {excerpt(said, 200)}")
    if (more := len(recipe.not_mapped) - _MAX_NOTES) > 0:
        note(console, f"Not mapped: {more} more; `sheepgen show --json` lists them.")
