"""Turns the packages' vector drawings and handwritten digits into pictures with transparency."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import resvg_py
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.training.concepts import CONCEPTS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_digits", "load_drawings"]

RENDER_SIZE = 192
"""Pixels a side: above every size that scenes use, so that drawings are only ever shrunk."""

DIGIT_SIDE = 28
DIGIT_PIXELS = DIGIT_SIDE * DIGIT_SIDE


def load_drawings(modules: Path, drawing_set: str) -> dict[str, Image.Image]:
    """Render every concept's drawing.

    Returns:
        Concept name to RGBA picture, trimmed to what is not transparent, facing left.

    Raises:
        ModelError: If the set has no such drawing.
    """
    path = modules / "@iconify-json" / drawing_set / "icons.json"
    icons: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return {name: _render(icons, concept.drawing) for name, concept in CONCEPTS.items()}


def load_digits(modules: Path) -> list[list[Image.Image]]:
    """Return, for each digit 0 to 9, its handwritten samples as 28 by 28 masks (255 = ink)."""
    folder = modules / "mnist" / "src" / "digits"
    return [_split_digits(folder / f"{digit}.json") for digit in range(10)]


def _split_digits(path: Path) -> list[Image.Image]:
    ink = bytes(round(value * 255) for value in json.loads(path.read_text("utf-8"))["data"])
    return [
        Image.frombytes("L", (DIGIT_SIDE, DIGIT_SIDE), ink[start : start + DIGIT_PIXELS])
        for start in range(0, len(ink), DIGIT_PIXELS)
    ]


def _render(icons: dict[str, Any], name: str) -> Image.Image:
    key = icons["aliases"].get(name, {}).get("parent", name)
    if key not in icons["icons"]:
        raise ModelError(f"The drawing set has no {name!r}.", "Check concepts.py.")
    icon = icons["icons"][key]
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}" '
        f'width="{RENDER_SIZE}" height="{RENDER_SIZE}">{icon["body"]}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, width=RENDER_SIZE, height=RENDER_SIZE)
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    return picture.crop(picture.getchannel("A").getbbox())
