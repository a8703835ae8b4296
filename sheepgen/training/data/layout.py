"""Decides where everything in a scene goes: plain boxes, computed from the drawings' silhouettes.

Lengths are fractions of the picture's side, as in `Placement`.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import Spot, concepts
from sheepgen.training.data.placement import Placement, stand
from sheepgen.training.data.shapes import brim_height, find_head, roof_height

if TYPE_CHECKING:
    from sheepgen.training.data.drawings import Drawings
    from sheepgen.training.data.scenes import Scene

__all__ = ["lay_out"]

GROUND_LINE = 0.9
"""Where things stand."""

FEET_BEHIND = 0.12
"""How much of a rider's height is behind what it rides, or sunk into what it stands on."""

LARGEST_HAT = 0.5
"""Of the wearer's height."""


def lay_out(scene: Scene, drawings: Drawings) -> list[Placement]:
    """Place a scene's things, back to front; always in the same places, by ``layout_seed``."""
    rng = random.Random(scene.layout_seed)  # noqa: S311
    layouts = {
        "riding": _riding,
        "on_top": _on_top,
        "wearing": _wearing,
        "holding": _holding,
        "next_to": _next_to,
    }
    lay = layouts.get(scene.kind, _row)
    placements = lay(rng, scene, drawings)
    if scene.relation and scene.kind != "next_to":
        return _centred(placements)
    return [replace(thing, x=min(max(thing.x, 0), 1 - thing.width)) for thing in placements]


def _faces(scene: Scene, name: str) -> str:
    return concepts()[name].faces.get(scene.style, "front")


def _on_ground(
    rng: random.Random,
    scene: Scene,
    drawings: Drawings,
    name: str,
    *,
    sides: tuple[float, float],
) -> Placement:
    """Place the thing that the others are placed by: in the middle, at about the ground line."""
    bottom = GROUND_LINE + rng.uniform(0, 0.05)
    return stand(scene, drawings, name, side=rng.uniform(*sides), x=0.5, bottom=bottom)


def _row(rng: random.Random, scene: Scene, drawings: Drawings) -> list[Placement]:
    """One thing, or several of a kind in one or two rows, the upper row farther away."""
    if scene.count == 1:
        side = rng.uniform(0.6, 0.8)
        x = 0.5 + rng.uniform(-0.3, 0.3) * (0.92 - side)
        bottom = GROUND_LINE - (0.84 - side) * rng.uniform(0.1, 0.4)
        return [stand(scene, drawings, scene.subject, side=side, x=x, bottom=bottom)]
    two_rows = scene.count == 4 or (scene.count == 3 and rng.random() < 0.4)
    if two_rows:
        behind = scene.count - 2
        spots = [((i + 1) / (behind + 1), 0.5) for i in range(behind)] + [
            (0.27, 0.94),
            (0.73, 0.94),
        ]
        side = rng.uniform(0.38, 0.43)
    else:
        spots = [((i + 0.5) / scene.count, 0.82) for i in range(scene.count)]
        side = {2: 0.46, 3: 0.32, 4: 0.24}[scene.count] * rng.uniform(0.92, 1.04)
    shift = rng.uniform(-0.03, 0.03)
    return [
        stand(
            scene,
            drawings,
            scene.subject,
            side=side * rng.uniform(0.95, 1.02),
            x=x + rng.uniform(-0.01, 0.01),
            bottom=bottom + shift,
        )
        for x, bottom in spots
    ]


def _next_to(rng: random.Random, scene: Scene, drawings: Drawings) -> list[Placement]:
    """The subject and to its right the other; the nearer one is lower and may hide a little."""
    middle, gap = 0.5 + rng.uniform(-0.02, 0.02), rng.uniform(-0.03, 0.03)
    placements = []
    for sign, name in ((-1, scene.subject), (1, scene.other)):
        side, bottom = rng.uniform(0.4, 0.5), rng.uniform(0.78, 0.88)
        thing = stand(scene, drawings, name, side=side, x=0.5, bottom=bottom)
        x = middle + sign * gap + (0 if sign > 0 else -thing.width)
        placements.append(replace(thing, x=x))
    return sorted(placements, key=lambda thing: thing.bottom)


def _riding(rng: random.Random, scene: Scene, drawings: Drawings) -> list[Placement]:
    """The rider above; what is ridden goes over the rider's feet."""
    only_head = scene.style in concepts()[scene.subject].heads
    side = rng.uniform(0.3, 0.38) if only_head else rng.uniform(0.42, 0.5)
    ridden = _on_ground(rng, scene, drawings, scene.other, sides=(0.6, 0.74))
    seat = concepts()[scene.other].seats[scene.style]
    seat_y = seat.y or roof_height(drawings.thing(scene.style, scene.other), seat.x)
    x = ridden.across(seat.x)
    bottom = ridden.y + ridden.height * seat_y + side * FEET_BEHIND
    rider = stand(scene, drawings, scene.subject, side=side, x=x, bottom=bottom)
    return [replace(rider, shadow=False), ridden]


def _on_top(rng: random.Random, scene: Scene, drawings: Drawings) -> list[Placement]:
    """The subject stands on the other's upper edge, in front of it."""
    side = rng.uniform(0.32, 0.42)
    base = _on_ground(rng, scene, drawings, scene.other, sides=(0.46, 0.6))
    picture = drawings.thing(scene.style, scene.other)
    spot = concepts()[scene.other].tops.get(scene.style, Spot(x=0.5))
    top = base.y + base.height * (spot.y or roof_height(picture, spot.x, reach=0.22))
    subject = stand(
        scene,
        drawings,
        scene.subject,
        side=side,
        x=base.across(spot.x) + rng.uniform(-0.03, 0.03),
        bottom=top + side * 0.05,
    )
    return [base, replace(subject, shadow=False)]


def _wearing(rng: random.Random, scene: Scene, drawings: Drawings) -> list[Placement]:
    """A hat on the head, or glasses over the eyes of a face."""
    wearer = _on_ground(rng, scene, drawings, scene.subject, sides=(0.56, 0.66))
    picture = drawings.thing(scene.style, scene.subject)
    only_head = scene.style in concepts()[scene.subject].heads
    if "glasses" in concepts()[scene.other].roles:
        x, y, width = wearer.x + wearer.width / 2, wearer.y + wearer.height * 0.45, 0.66
        worn_width = wearer.width * width
        worn = stand(scene, drawings, scene.other, side=worn_width, x=x, bottom=y)
        worn = replace(worn, y=y - worn.height / 2)
    else:
        head = find_head(picture, _faces(scene, scene.subject), only_head=only_head)
        x = wearer.across(head.x)
        hat = drawings.thing(scene.style, scene.other)
        side = wearer.width * head.width * 1.15 * max(1.0, hat.height / hat.width)
        side = min(side, LARGEST_HAT * wearer.height)
        worn = stand(
            scene,
            drawings,
            scene.other,
            side=side,
            x=x,
            bottom=wearer.y + wearer.height * head.y,
        )
        worn = replace(worn, y=worn.y + worn.height * (1 - brim_height(hat)))
    return [wearer, replace(worn, shadow=False)]


def _holding(rng: random.Random, scene: Scene, drawings: Drawings) -> list[Placement]:
    """The thing before the holder's chest, on the side that it faces."""
    holder = _on_ground(rng, scene, drawings, scene.subject, sides=(0.58, 0.68))
    faces = _faces(scene, scene.subject)
    ahead = {"left": 0.08, "right": 0.92, "front": 0.14}[faces]
    x = holder.across(ahead)
    held = stand(
        scene,
        drawings,
        scene.other,
        side=rng.uniform(0.26, 0.34),
        x=x,
        bottom=holder.y + holder.height * rng.uniform(0.8, 0.92),
    )
    return [holder, replace(held, shadow=False)]


def _centred(placements: list[Placement]) -> list[Placement]:
    """Shrink a group that does not fit, and centre it, feet on the ground."""
    left = min(thing.x for thing in placements)
    right = max(thing.x + thing.width for thing in placements)
    top = min(thing.y for thing in placements)
    bottom = max(thing.bottom for thing in placements)
    scale = min(1.0, 0.96 / (right - left), (bottom - 0.02) / (bottom - top))
    middle = (left + right) / 2
    return [
        replace(
            thing,
            x=0.5 + (thing.x - middle) * scale,
            y=bottom - (bottom - thing.y) * scale,
            width=thing.width * scale,
            height=thing.height * scale,
        )
        for thing in placements
    ]
