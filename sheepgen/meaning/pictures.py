"""The pictures of texts, saved side by side.

Prompts are hostile: what is drawn of them is `sheepgen.output.card.legible`, file names are slugs,
and the text in the files is JSON in ASCII.
"""

from __future__ import annotations

import json
import os
from itertools import count
from typing import TYPE_CHECKING

from sheepgen.meaning.heat_map import draw_distances
from sheepgen.meaning.report import describe_space
from sheepgen.meaning.text_map import draw_map
from sheepgen.metadata.image_file import encode_image
from sheepgen.output.atomic import (
    make_folder,
    output_errors,
    staging_folder,
    sync_folder,
    write_synced,
)
from sheepgen.output.locks import lock_folder
from sheepgen.output.template import slug

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from PIL import Image

    from sheepgen.meaning.measure import Meaning

__all__ = ["MEANING_KEY", "save_pictures"]

MEANING_KEY = "sheepgen-meaning"
"""Name of the PNG text that says what was measured."""


def save_pictures(meaning: Meaning, folder: Path) -> dict[str, Path]:
    """Save the pictures that there is enough for, all at once; nothing is overwritten.

    Args:
        meaning: What was measured.
        folder: Created if needed.

    Returns:
        ``distances``, if there are two prompts, and ``map``, if there are three points.

    Raises:
        OutputError: If the folder cannot be written to; nothing incomplete is left there.
    """
    drawn: dict[str, Image.Image] = {}
    if len(meaning.query.prompts) > 1:
        drawn["distances"] = draw_distances(meaning)
    if meaning.map:
        drawn["map"] = draw_map(meaning)
    if not drawn:
        return {}
    first = (*meaning.query.prompts, *(each.analogy.text for each in meaning.analogies))[0]
    stem = slug(first, empty="prompt")
    make_folder(folder)
    with output_errors(folder), staging_folder(folder) as staging:
        for name, picture in drawn.items():
            write_synced(staging / name, _encode(picture, meaning))
        with lock_folder(folder):
            paths = _free_paths(folder, stem, drawn)
            for name, path in paths.items():
                (staging / name).rename(path)
            sync_folder(folder)
    return paths


def _free_paths(folder: Path, stem: str, names: Iterable[str]) -> dict[str, Path]:
    """Return paths that are all free, with a counter if they need one."""
    for number in count(1):
        counter = "" if number == 1 else f"_{number}"
        paths = {name: folder / f"{stem}_{name}{counter}.png" for name in names}
        if not any(os.path.lexists(path) for path in paths.values()):
            return paths
    raise AssertionError("there is always another number")


def _encode(picture: Image.Image, meaning: Meaning) -> bytes:
    about = {
        "model": meaning.spec.name,
        "sha256": meaning.spec.sha256,
        **describe_space(meaning),
        "prompts": meaning.query.prompts,
        "analogies": [each.analogy.text for each in meaning.analogies],
    }
    texts = {MEANING_KEY: json.dumps(about, separators=(",", ":"))}
    return encode_image(picture, None, ".png", texts=texts)
