"""Composes captioned training scenes from drawings.

A `Scene` is plain data drawn from a random generator; `render_scene` paints it. The caption
says only what is in the picture. Held-out pairs never share a scene.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw

from sheepgen.training.concepts import (
    COLOURS,
    CONCEPTS,
    DIGITS,
    PLACES,
    RIDERS,
    TINTS,
    VEHICLES,
    Concept,
    Rgb,
    held_out_pairs,
    with_article,
)

__all__ = ["Drawings", "Kind", "Scene", "compose_scene", "render_scene", "sample_scene"]

Kind = Literal["single", "riding", "next_to", "several", "digit"]

KIND_WEIGHTS: dict[Kind, float] = {
    "single": 0.38,
    "riding": 0.36,
    "next_to": 0.12,
    "several": 0.09,
    "digit": 0.05,
}

SYNONYM_RATE = 0.12
GROUND_LINE = 0.9
"""Where things stand, as a fraction of the picture's height."""


@dataclass(frozen=True, slots=True)
class Drawings:
    """The pictures that scenes are composed of."""

    things: dict[str, Image.Image]
    digits: list[list[Image.Image]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One scene, before it is painted.

    ``backdrop`` is a place, a colour, or empty for a pale tint that the caption leaves open.
    ``layout_seed`` fixes sizes, positions and the tint.
    """

    kind: Kind
    subject: str
    other: str = ""
    count: int = 1
    backdrop: str = ""
    caption: str
    layout_seed: int


def sample_scene(seed: str, *, allow_held_out: bool = False) -> Scene:
    """Draw a scene; equal seeds give equal scenes."""
    rng = random.Random(seed)  # noqa: S311
    kind = rng.choices(list(KIND_WEIGHTS), list(KIND_WEIGHTS.values()))[0]
    subject, other, count = _sample_cast(rng, kind, allow_held_out=allow_held_out)
    backdrop = rng.choices(["", rng.choice(list(COLOURS)), rng.choice(list(PLACES))], [4, 3, 3])[0]
    return compose_scene(rng, kind, subject, other=other, count=count, backdrop=backdrop)


def compose_scene(
    rng: random.Random,
    kind: Kind,
    subject: str,
    *,
    other: str = "",
    count: int = 1,
    backdrop: str = "",
) -> Scene:
    """Put a caption to a chosen cast."""
    return Scene(
        kind=kind,
        subject=subject,
        other=other,
        count=count,
        backdrop=backdrop,
        caption=_caption(rng, kind, subject, other, count, backdrop),
        layout_seed=rng.getrandbits(32),
    )


def render_scene(scene: Scene, drawings: Drawings, size: int) -> Image.Image:
    """Paint a scene as an RGB picture of ``size`` by ``size`` pixels."""
    rng = random.Random(scene.layout_seed)  # noqa: S311
    canvas = _paint_backdrop(rng, scene.backdrop, size)
    flip = rng.random() < 0.5
    if scene.kind == "digit":
        _paint_digit(rng, canvas, drawings, int(scene.subject))
    elif scene.kind == "riding":
        _paint_riding(rng, canvas, drawings, scene, flip=flip)
    elif scene.kind == "next_to":
        _paint_row(rng, canvas, drawings, [scene.subject, scene.other], flip=flip)
    else:
        _paint_row(rng, canvas, drawings, [scene.subject] * scene.count, flip=flip)
    return canvas


def _sample_cast(rng: random.Random, kind: Kind, *, allow_held_out: bool) -> tuple[str, str, int]:
    if kind == "digit":
        return str(rng.randrange(10)), "", 1
    if kind == "single":
        return rng.choice(list(CONCEPTS)), "", 1
    if kind == "several":
        return rng.choice(list(CONCEPTS)), "", rng.choice((2, 2, 3))
    while True:
        if kind == "riding":
            subject, other = rng.choice(RIDERS), rng.choice(VEHICLES)
        else:
            subject, other = rng.sample(list(CONCEPTS), 2)
        pair = {(subject, other), (other, subject)}
        if allow_held_out or not pair & held_out_pairs():
            return subject, other, 1


def _word(rng: random.Random, concept: Concept) -> str:
    if concept.synonyms and rng.random() < SYNONYM_RATE:
        return rng.choice(concept.synonyms)
    return concept.name


def _caption(
    rng: random.Random, kind: Kind, subject: str, other: str, count: int, backdrop: str
) -> str:
    if kind == "digit":
        phrase = (
            f"{rng.choice(('a handwritten digit', 'the handwritten digit'))} {DIGITS[int(subject)]}"
        )
    elif kind == "several":
        phrase = f"{('two', 'three')[count - 2]} {CONCEPTS[subject].plural_name}"
    else:
        first = with_article(_word(rng, CONCEPTS[subject]))
        if kind == "single":
            phrase = first
        else:
            verb = ("riding", "riding", "on") if kind == "riding" else ("next to", "beside", "and")
            phrase = f"{first} {rng.choice(verb)} {with_article(_word(rng, CONCEPTS[other]))}"
    if backdrop in PLACES:
        phrase += f" {PLACES[backdrop].phrase}"
    elif backdrop:
        phrase += f" on a {backdrop} background"
    return phrase


def _paint_backdrop(rng: random.Random, backdrop: str, size: int) -> Image.Image:
    if backdrop not in PLACES:
        return Image.new("RGB", (size, size), COLOURS.get(backdrop) or rng.choice(TINTS))
    place = PLACES[backdrop]
    horizon = round(size * rng.uniform(0.6, 0.68))
    canvas = Image.new("RGB", (size, size))
    canvas.paste(_gradient(*place.sky, size, horizon), (0, 0))
    canvas.paste(_gradient(*place.ground, size, size - horizon), (0, horizon))
    draw = ImageDraw.Draw(canvas)
    if place.extra == "stars":
        for _ in range(10):
            x, y = rng.randrange(size), rng.randrange(horizon)
            draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=(240, 240, 220))
    elif place.extra == "snow":
        for _ in range(12):
            x, y = rng.randrange(size), rng.randrange(size)
            draw.ellipse((x - 1, y - 1, x + 1, y + 1), fill=(255, 255, 255))
    elif place.extra == "sun":
        x, radius = round(size * rng.uniform(0.12, 0.88)), size // 10
        y = horizon - radius if backdrop == "sunset" else radius * 2
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 236, 150))
    elif place.extra == "sea":
        draw.rectangle((0, horizon - size // 8, size, horizon), fill=(64, 156, 214))
    elif place.extra == "lane":
        y, dash = round(size * 0.95), size // 8
        for x in range(rng.randrange(-dash, 0), size, dash * 2):
            draw.rectangle((x, y - 1, x + dash, y + 1), fill=(240, 232, 190))
    return canvas


def _gradient(top: Rgb, bottom: Rgb, width: int, height: int) -> Image.Image:
    column = Image.new("RGB", (1, 2))
    column.putdata([top, bottom])
    # Resampling two pixels this way keeps both ends flat for a quarter; the box cuts that off.
    return column.resize((width, height), Image.Resampling.BILINEAR, box=(0, 0.5, 1, 1.5))


def _scaled(picture: Image.Image, side: float, *, flip: bool) -> Image.Image:
    """Shrink so that the longer side has ``side`` pixels."""
    factor = side / max(picture.size)
    shape = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    small = picture.resize(shape, Image.Resampling.LANCZOS, reducing_gap=3)
    return small.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else small


def _stand(canvas: Image.Image, picture: Image.Image, x: float, y: float) -> None:
    """Paste with the middle of the lower edge at (x, y)."""
    canvas.paste(picture, (round(x - picture.width / 2), round(y - picture.height)), picture)


def _paint_riding(
    rng: random.Random, canvas: Image.Image, drawings: Drawings, scene: Scene, *, flip: bool
) -> None:
    size = canvas.width
    seat = CONCEPTS[scene.other].seat
    assert seat is not None, f"{scene.other} cannot be ridden"
    vehicle = _scaled(drawings.things[scene.other], size * rng.uniform(0.66, 0.76), flip=flip)
    rider = _scaled(drawings.things[scene.subject], size * rng.uniform(0.46, 0.52), flip=flip)
    left = size * rng.uniform(0.47, 0.53) - vehicle.width / 2
    bottom = size * rng.uniform(GROUND_LINE, GROUND_LINE + 0.05)
    seat_x = (1 - seat[0]) if flip else seat[0]
    # The vehicle goes over the rider's feet: a tenth of the rider is behind it.
    feet = bottom - vehicle.height * (1 - seat[1]) + rider.height * 0.1
    _stand(canvas, rider, left + vehicle.width * seat_x, max(feet, rider.height))
    _stand(canvas, vehicle, left + vehicle.width / 2, bottom)


def _paint_row(
    rng: random.Random, canvas: Image.Image, drawings: Drawings, names: list[str], *, flip: bool
) -> None:
    size, count = canvas.width, len(names)
    scale = {1: 0.74, 2: 0.47, 3: 0.33}[count] * rng.uniform(0.92, 1.06)
    bottom = size * (GROUND_LINE - (0.02 if count == 1 else 0.1) + rng.uniform(-0.03, 0.03))
    shift = size * rng.uniform(-0.04, 0.04) / count
    for index, name in enumerate(names):
        picture = _scaled(drawings.things[name], size * scale, flip=flip)
        _stand(canvas, picture, size * (index + 0.5) / count + shift, bottom)


def _paint_digit(rng: random.Random, canvas: Image.Image, drawings: Drawings, digit: int) -> None:
    mask = rng.choice(drawings.digits[digit])
    side = round(canvas.width * rng.uniform(0.72, 0.84))
    mask = mask.resize((side, side), Image.Resampling.BICUBIC)
    offset = (canvas.width - side) // 2
    dark = sum(canvas.getpixel((0, canvas.width // 2))) < 300  # type: ignore[arg-type]
    ink = (245, 245, 240) if dark else (30, 32, 44)
    canvas.paste(ink, (offset, offset), mask)
