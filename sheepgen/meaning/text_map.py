"""Texts as points on a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sheepgen.meaning.card import (
    LINE,
    WIDTH,
    draw_heading,
    draw_lines,
    fonts,
    footer_lines,
    short_label,
)
from sheepgen.meaning.report import describe_map
from sheepgen.output.card import DETAIL_COLOUR, MARGIN, TITLE_COLOUR, new_card

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.meaning.measure import MapPoint, Meaning

    Box = tuple[int, int, int, int]

__all__ = ["draw_map"]

_MAP_HEIGHT = 640
_FRAME = (62, 66, 78, 255)
_POINT_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "prompt": (246, 138, 15),
    "word": (110, 116, 130),
    "sum": (120, 200, 255),
}
_RADII: Mapping[str, int] = {"prompt": 6, "word": 3, "sum": 6}


def draw_map(meaning: Meaning) -> Image.Image:
    """Draw the map: prompts, words near to them, and sums of words.

    Both axes have one scale, so that distances in the picture compare.

    Returns:
        RGBA.
    """
    _, text = fonts()
    footer = footer_lines(meaning, f"{describe_map(meaning)} {_legend(meaning.map)}")
    top = MARGIN + 2 * LINE
    card = new_card((WIDTH, top + _MAP_HEIGHT + (len(footer) + 2) * LINE))
    draw = ImageDraw.Draw(card)
    draw_heading(draw, "Map of prompts", meaning)
    frame = (MARGIN, top, WIDTH - MARGIN, top + _MAP_HEIGHT)
    draw.rectangle(frame, outline=_FRAME)
    places = _places(meaning.map, frame)
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    labels = [*zip(meaning.map, places, strict=True)]
    words_last = sorted(labels, key=lambda each: each[0].kind == "word")
    for point, place in reversed(words_last):
        card.paste(_POINT_COLOURS[point.kind], *_mark(point.kind, place))
    for point, (x, y) in words_last:
        label = short_label(point.text, 240)
        box = _free_box(x, y, round(text.getlength(label)), taken, frame)
        if box is None and point.kind == "word":
            continue  # a dot without a name, where it is crowded
        half = LINE // 2
        box = box or (x + 10, y - half, x + 10 + round(text.getlength(label)), y + half)
        taken.append(box)
        ink = DETAIL_COLOUR if point.kind == "word" else TITLE_COLOUR
        draw.text((box[0], (box[1] + box[3]) // 2), label, ink, text, anchor="lm")
    draw_lines(draw, footer, top + _MAP_HEIGHT + LINE)
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
    width, height = right - left - 240, bottom - top - 4 * LINE
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
    half = LINE // 2
    corners = (
        *((x + 10, y - half + shift) for shift in (0, -half, half)),
        *((x - 10 - width, y - half + shift) for shift in (0, -half, half)),
        *((x - width // 2, y + shift) for shift in (-LINE - 8, 8)),
        *((x + 10, y - half + shift) for shift in (-LINE, LINE)),
        *((x - 10 - width, y - half + shift) for shift in (-LINE, LINE)),
    )
    for left, top in corners:
        box = left, top, left + width, top + LINE
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
