"""Drawings and handwritten digits as pictures with transparency, rendered once and kept on disk."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import resvg_py
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.training.data.concepts import concepts, icon_of
from sheepgen.training.data.icon_sets import DRAWING_SETS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["IconStore", "NpmIconStore", "render_icon"]

DIGIT_SIDE = 28
DIGIT_PIXELS = DIGIT_SIDE * DIGIT_SIDE
PICTURES_IN_MEMORY = 512
"""A megabyte for three: some 170 MB a process."""


class IconStore(Hashable, Protocol):
    """Where a painter gets its pictures from."""

    def icon(self, style: str, name: str) -> Image.Image:
        """Return a concept's drawing, RGBA, trimmed to what is not transparent."""

    def drawing(self, icon_set: str, icon: str) -> Image.Image:
        """Return a drawing by its set and its name there, likewise."""

    def digit(self, digit: int, sample: int) -> Image.Image:
        """Return a handwritten digit as a 28 by 28 mask, 255 for ink."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NpmIconStore:
    """Drawings of npm packages.

    Args:
        modules: The ``node_modules`` folder.
        folder: Where rendered drawings are kept; any process may add to it.
        side: Pixels of a rendering before it is trimmed. Choose 1.25 times the pictures' side:
            nothing is drawn larger than 0.8 of a picture, and then drawings are only ever shrunk.
    """

    modules: Path
    folder: Path
    side: int = 320

    def icon(self, style: str, name: str) -> Image.Image:
        """Return a concept's drawing; see `IconStore`.

        Raises:
            ModelError: If the set has no such drawing.
        """
        return self.drawing(*icon_of(style, concepts()[name].drawings[style]))

    def drawing(self, icon_set: str, icon: str) -> Image.Image:
        """Return a drawing by its set and its name there, as a `Drawing` has them.

        Raises:
            ModelError: If the set has no such drawing.
        """
        return _open_drawing(self, icon_set, icon)

    def digit(self, digit: int, sample: int) -> Image.Image:
        """Return a handwritten digit; ``sample`` picks one of some thousand. See `IconStore`."""
        samples = _digits(self.modules / "mnist" / "src" / "digits", digit)
        return samples[sample % len(samples)]

    def path(self, icon_set: str, icon: str) -> Path:
        """Where a rendering is kept."""
        return self.folder / f"{icon_set}-{self.side}" / f"{icon}.png"


@lru_cache(maxsize=PICTURES_IN_MEMORY)
def _open_drawing(album: NpmIconStore, icon_set: str, icon: str) -> Image.Image:
    path = album.path(icon_set, icon)
    if not path.exists():
        package = album.modules / DRAWING_SETS[icon_set].package
        picture = render_icon(_icons(package / "icons.json"), icon, album.side)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into place, so that no other process reads half a file.
        part = path.with_suffix(f".{os.getpid()}.part")
        picture.save(part, "PNG", compress_level=1)
        part.replace(path)
        return picture
    with Image.open(path) as file:
        return file.convert("RGBA")


@cache
def _icons(path: Path) -> dict[str, Any]:
    icons: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return icons


@cache
def _digits(folder: Path, digit: int) -> list[Image.Image]:
    values = json.loads((folder / f"{digit}.json").read_text("utf-8"))["data"]
    ink = bytes(round(value * 255) for value in values)
    return [
        Image.frombytes("L", (DIGIT_SIDE, DIGIT_SIDE), ink[start : start + DIGIT_PIXELS])
        for start in range(0, len(ink), DIGIT_PIXELS)
    ]


def render_icon(icons: dict[str, Any], name: str, side: int) -> Image.Image:
    """Render one drawing of an Iconify set.

    Args:
        icons: The contents of the set's ``icons.json``.
        name: The drawing's name, or an alias.
        side: Pixels of the square that it is rendered into.

    Returns:
        RGBA, trimmed to what is not transparent.

    Raises:
        ModelError: If the set has no such drawing, or an empty one.
    """
    name = icons.get("aliases", {}).get(name, {}).get("parent", name)
    icon = icons["icons"].get(name)
    if icon is None:
        raise ModelError(f"The drawing set has no {name!r}.", "Check concepts.tsv.")
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}" '
        f'width="{side}" height="{side}">{icon["body"]}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side)
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    # Fainter than this is the rim of a shadow, which would keep things from touching the ground.
    box = picture.getchannel("A").point(lambda alpha: 255 * (alpha > 16)).getbbox()
    if box is None:
        raise ModelError(f"The drawing {name!r} is empty.", "Check concepts.tsv.")
    return picture.crop(box)
