"""Distances as a heat map and texts on a map: drawn, and saved side by side.

Prompts are hostile: what is drawn of them is `sheepgen.output.card.legible`, file names are slugs,
and the text in the files is JSON in ASCII.
"""

from __future__ import annotations

import io
import json
import os
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from sheepgen.meaning.report import describe_map, describe_space
from sheepgen.output.atomic import (
    make_folder,
    output_errors,
    staging_folder,
    sync_folder,
    write_synced,
)
from sheepgen.output.card import (
    DETAIL_COLOUR,
    MARGIN,
    TITLE_COLOUR,
    legible,
    new_card,
    wrap,
)
from sheepgen.output.locks import lock_folder
from sheepgen.output.palette import colour_of
from sheepgen.output.template import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sheepgen.meaning.measure import MapPoint, Meaning

    Box = tuple[int, int, int, int]

__all__ = ["MEANING_KEY", "draw_distances", "draw_map", "save_pictures"]

MEANING_KEY = "sheepgen-meaning"
"""Name of the PNG text that says what was measured."""

_WIDTH = 960
_MAP_HEIGHT = 640
_LABEL_WIDTH = 260
_LARGEST_CELL, _SMALLEST_CELL = 84, 20
_CELL_WITH_NUMBER = 40
_LINE = 20
_TITLE_SIZE, _TEXT_SIZE = 18, 14
_BRIGHT = 0.55
"""Share of the palette from which a number on it is dark."""

_INK = (16, 17, 22, 255)
_FRAME = (62, 66, 78, 255)
_POINT_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "prompt": (246, 138, 15),
    "word": (110, 116, 130),
    "sum": (120, 200, 255),
}

_RADII: Mapping[str, int] = {"prompt": 6, "word": 3, "sum": 6}


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


def _free_paths(folder: Path, stem: str, names: Mapping[str, object]) -> dict[str, Path]:
    """Return paths that are all free, with a counter if they need one."""
    for counter in _counters():
        paths = {name: folder / f"{stem}_{name}{counter}.png" for name in names}
        if not any(os.path.lexists(path) for path in paths.values()):
            return paths
    raise AssertionError("there is no last counter")


def _counters() -> Iterator[str]:
    yield ""
    number = 1
    while True:
        number += 1
        yield f"_{number}"


def _encode(picture: Image.Image, meaning: Meaning) -> bytes:
    about = {
        "model": meaning.spec.name,
        "sha256": meaning.spec.sha256,
        **describe_space(meaning),
        "prompts": meaning.query.prompts,
        "analogies": [each.analogy.text for each in meaning.analogies],
    }
    texts = PngInfo()
    texts.add_text(MEANING_KEY, json.dumps(about, separators=(",", ":")))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=texts, compress_level=3)
    return buffer.getvalue()


def draw_distances(meaning: Meaning) -> Image.Image:
    """Draw the distances of at least two prompts from each other; what is near is light.

    The colours run from the largest distance to 0.

    Returns:
        RGBA.
    """
    prompts = meaning.query.prompts
    count = len(prompts)
    _, text = _fonts()
    labels = [_short(f"{row}  {prompt}", _LABEL_WIDTH) for row, prompt in enumerate(prompts, 1)]
    left = MARGIN + _LINE + round(max(map(text.getlength, labels)))
    cell = max(_SMALLEST_CELL, min(_LARGEST_CELL, (_WIDTH - MARGIN - left) // count))
    top = MARGIN + 3 * _LINE
    footer = _footer(meaning, "Light is near. Numbers are distances.")
    card = new_card((_WIDTH, top + count * cell + (len(footer) + 2) * _LINE))
    draw = ImageDraw.Draw(card)
    _heading(draw, "Distances between prompts", meaning)
    most = max(1e-6, float((1 - meaning.cosines).max()))
    for row, label in enumerate(labels):
        middle = top + row * cell + cell // 2
        draw.text((left - _LINE // 2, middle), label, TITLE_COLOUR, text, anchor="rm")
        heading = (left + row * cell + cell // 2, top - _LINE // 2)
        draw.text(heading, str(row + 1), DETAIL_COLOUR, text, anchor="mm")
        for column in range(count):
            distance = float(1 - meaning.cosines[row, column])
            share = 1 - distance / most
            x, y = left + column * cell, top + row * cell
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), fill=colour_of(share))
            if cell >= _CELL_WITH_NUMBER:
                ink = _INK if share > _BRIGHT else TITLE_COLOUR
                place = (x + cell // 2 - 1, y + cell // 2 - 1)
                draw.text(place, f"{distance:.2f}", ink, text, anchor="mm")
    _lines(draw, footer, top + count * cell + _LINE)
    return card


def draw_map(meaning: Meaning) -> Image.Image:
    """Draw the map: prompts, words near to them, and sums of words.

    Both axes have one scale, so that distances in the picture compare.

    Returns:
        RGBA.
    """
    _, text = _fonts()
    footer = _footer(meaning, f"{describe_map(meaning)} {_legend(meaning.map)}")
    top = MARGIN + 2 * _LINE
    card = new_card((_WIDTH, top + _MAP_HEIGHT + (len(footer) + 2) * _LINE))
    draw = ImageDraw.Draw(card)
    _heading(draw, "Map of prompts", meaning)
    frame = (MARGIN, top, _WIDTH - MARGIN, top + _MAP_HEIGHT)
    draw.rectangle(frame, outline=_FRAME)
    places = _places(meaning.map, frame)
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    labels = [*zip(meaning.map, places, strict=True)]
    words_last = sorted(labels, key=lambda each: each[0].kind == "word")
    for point, place in reversed(words_last):
        card.paste(_POINT_COLOURS[point.kind], *_mark(point.kind, place))
    for point, (x, y) in words_last:
        label = _short(point.text, 240)
        box = _free_box(x, y, round(text.getlength(label)), taken, frame)
        if box is None and point.kind == "word":
            continue  # a dot without a name, where it is crowded
        half = _LINE // 2
        box = box or (x + 10, y - half, x + 10 + round(text.getlength(label)), y + half)
        taken.append(box)
        ink = DETAIL_COLOUR if point.kind == "word" else TITLE_COLOUR
        draw.text((box[0], (box[1] + box[3]) // 2), label, ink, text, anchor="lm")
    _lines(draw, footer, top + _MAP_HEIGHT + _LINE)
    return card


def _mark(kind: str, place: tuple[int, int]) -> tuple[Box, Image.Image]:
    """Return where a point's mark goes, and its shape with smooth edges."""
    side, fine = (2 * _RADII[kind], 4)
    shape = Image.new("L", (side * fine, side * fine))
    draw, last = ImageDraw.Draw(shape), side * fine - 1
    if kind == "sum":
        for ends in ((0, 0, last, last), (0, last, last, 0)):
            draw.line(ends, 255, width=3 * fine)
    else:
        draw.ellipse((0, 0, last, last), fill=255)
    left, top = (at - side // 2 for at in place)
    smooth = shape.resize((side, side), Image.Resampling.LANCZOS)
    return (left, top, left + side, top + side), smooth


def _places(points: Sequence[MapPoint], frame: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """Return where points are in a frame, in pixels, with room for labels at its sides."""
    left, top, right, bottom = frame
    width, height = right - left - 240, bottom - top - 4 * _LINE
    lows, highs = (
        [choose(getattr(point, axis) for point in points) for axis in "xy"] for choose in (min, max)
    )
    spans = [max(high - low, 1e-9) for low, high in zip(lows, highs, strict=True)]
    scale = min(width / spans[0], height / spans[1])
    middle = [(low + high) / 2 for low, high in zip(lows, highs, strict=True)]
    return [
        (
            round((left + right) / 2 + (point.x - middle[0]) * scale),
            round((top + bottom) / 2 - (point.y - middle[1]) * scale),
        )
        for point in points
    ]


def _free_box(
    x: int, y: int, width: int, taken: Sequence[Box], frame: tuple[int, int, int, int]
) -> Box | None:
    """Return where a label beside a point covers nothing, or None."""
    half = _LINE // 2
    corners = (
        *((x + 10, y - half + shift) for shift in (0, -half, half)),
        *((x - 10 - width, y - half + shift) for shift in (0, -half, half)),
        *((x - width // 2, y + shift) for shift in (-_LINE - 8, 8)),
        *((x + 10, y - half + shift) for shift in (-_LINE, _LINE)),
        *((x - 10 - width, y - half + shift) for shift in (-_LINE, _LINE)),
    )
    for left, top in corners:
        box = left, top, left + width, top + _LINE
        is_inside = (
            frame[0] < box[0] and frame[1] < box[1] and box[2] < frame[2] and box[3] < frame[3]
        )
        if is_inside and not any(_overlap(box, other) for other in taken):
            return box
    return None


def _overlap(first: Box, second: Box) -> bool:
    return (
        first[0] < second[2]
        and second[0] < first[2]
        and first[1] < second[3]
        and second[1] < first[3]
    )


def _legend(points: Sequence[MapPoint]) -> str:
    kinds = {point.kind for point in points}
    parts = ["Orange: prompts"]
    if "word" in kinds:
        parts.append("grey: words near to them")
    if "sum" in kinds:
        parts.append("blue cross: a sum")
    return f"{', '.join(parts)}."


def _heading(draw: ImageDraw.ImageDraw, text: str, meaning: Meaning) -> None:
    title, _ = _fonts()
    model = f"{text} in {meaning.spec.name}, {meaning.space.encoder}"
    (line,) = wrap(legible(model), _WIDTH - 2 * MARGIN, 1, title.getlength)
    draw.text((MARGIN, MARGIN + _LINE // 2), line, TITLE_COLOUR, title, anchor="lm")


def _footer(meaning: Meaning, first: str) -> list[str]:
    """Return lines on what was measured."""
    _, text = _fonts()
    space = describe_space(meaning)
    sentences = [
        first,
        f"Read: {space['layer']}; {space['pooling']}.",
        f"Centring: {space['centring']}.",
        f"Near: {space['near']}.",
    ]
    width = _WIDTH - 2 * MARGIN
    return [line for each in sentences for line in wrap(legible(each), width, 3, text.getlength)]


def _lines(draw: ImageDraw.ImageDraw, lines: Sequence[str], top: int) -> None:
    _, text = _fonts()
    for number, line in enumerate(lines):
        place = (MARGIN, top + number * _LINE)
        draw.text(place, line, DETAIL_COLOUR, text, anchor="lm")


def _short(text: str, width: float) -> str:
    _, font = _fonts()
    (line,) = wrap(legible(text), width, 1, font.getlength)
    return line


@cache
def _fonts() -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, ...]:
    """Return the fonts for headings and for all else."""
    return ImageFont.load_default(_TITLE_SIZE), ImageFont.load_default(_TEXT_SIZE)
