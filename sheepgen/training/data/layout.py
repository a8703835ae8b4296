"""Decides where everything in a scene goes: plain boxes, computed from the drawings' silhouettes.

Things come in three sizes, and stand on a grid as fine as the VAE's latents. So the latents of a
thing are the same wherever it is, and to draw it is to copy them: a U-Net learns that once for all
things, where any size and place would be another drawing to it.

Lengths are fractions of the picture's side, as in `Placement`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import Spot, concepts
from sheepgen.training.data.silhouettes import brim_height, find_head, roof_height

if TYPE_CHECKING:
    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.data.scene import Scene

__all__ = ["ALONE", "CELLS", "COMPANION", "SMALL", "Placement", "is_turned", "lay_out"]

CELLS = 32
"""A picture's side in cells of the grid that things stand on, one for each place of its latents."""

ALONE = 24 / CELLS
"""The longer side of what is alone in a picture, ..."""

COMPANION = 16 / CELLS
"""... of what is not, ..."""

SMALL = 8 / CELLS
"""... and of what is worn or held."""

FEET_BEHIND = 0.12
"""How much of a rider's height is behind what it rides, or sunk into what it stands on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """One drawing's place in the picture.

    Args:
        name: Its concept.
        colour: The colour it is shown in; empty for its own.
        x: Left edge.
        y: Upper edge.
        width: Its width.
        height: Its height.
        flip: Whether it is mirrored left to right.
        shadow: Whether it casts one on the ground.
    """

    name: str
    colour: str = ""
    x: float
    y: float
    width: float
    height: float
    flip: bool = False
    shadow: bool = True

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    def across(self, share: float) -> float:
        """Return where in the picture a share of the drawing's width is, as it was drawn."""
        return self.x + self.width * (1 - share if self.flip else share)


def lay_out(scene: Scene, drawings: IconStore) -> list[Placement]:
    """Place a scene's things, back to front; always in the same places, by ``layout_seed``.

    Digits are none of them: the painter puts them down as a hand does.
    """
    if scene.kind == "digits":
        return []
    rng = random.Random(scene.layout_seed)  # noqa: S311
    layouts = {
        "riding": _riding,
        "on_top": _on_top,
        "wearing": _wearing,
        "holding": _holding,
        "next_to": _next_to,
    }
    lay = layouts.get(scene.kind, _row)
    return [_on_grid(thing) for thing in lay(rng, scene, drawings)]


def _on_grid(thing: Placement) -> Placement:
    """Move a thing to the nearest place on the grid where all of it is in the picture.

    Its square is on the grid: as wide and high as the longer side, with the thing in the middle of
    its lower edge.
    """
    side = max(thing.width, thing.height)
    left = round((thing.x + thing.width / 2 - side / 2) * CELLS) / CELLS
    bottom = round(thing.bottom * CELLS) / CELLS
    while bottom < thing.height:
        bottom += 1 / CELLS
    # Rounded, lest an error of 1e-17 move what just fits.
    x = round(left + (side - thing.width) / 2, 9)
    while x < 0:
        x += 1 / CELLS
    while round(x + thing.width, 9) > 1:
        x -= 1 / CELLS
    return replace(thing, x=x, y=min(bottom, 1.0) - thing.height)


def _faces(scene: Scene, name: str) -> str:
    return concepts()[name].faces.get(scene.style, "front")


def _on_ground(rng: random.Random, scene: Scene, drawings: IconStore, name: str) -> Placement:
    """Place the thing that the others are placed by: in the middle, a little above the edge."""
    x = 0.5 + rng.randint(-2, 2) / CELLS
    return _on_grid(
        _place(scene, drawings, name, side=COMPANION, x=x, bottom=1 - rng.randint(1, 3) / CELLS)
    )


def _row(rng: random.Random, scene: Scene, drawings: IconStore) -> list[Placement]:
    """One thing, or several of a kind in one or two rows."""
    if scene.count == 1:
        x, bottom = 0.5 + rng.randint(-3, 3) / CELLS, 1 - rng.randint(1, 4) / CELLS
        return [_place(scene, drawings, scene.subject, side=ALONE, x=x, bottom=bottom)]
    if scene.count == 2:
        bottom = 0.75 + rng.randint(-1, 3) / CELLS
        spots = [(0.25, bottom), (0.75, bottom)]
    else:
        upper = [(0.5, 0.5)] if scene.count == 3 else [(0.25, 0.5), (0.75, 0.5)]
        spots = [*upper, (0.25, 1 - 1 / CELLS), (0.75, 1 - 1 / CELLS)]
    return [
        _place(scene, drawings, scene.subject, side=COMPANION, x=x, bottom=bottom)
        for x, bottom in spots
    ]


def _next_to(rng: random.Random, scene: Scene, drawings: IconStore) -> list[Placement]:
    """The subject and to its right the other; the nearer one is lower."""
    placements = [
        _place(
            scene,
            drawings,
            name,
            side=COMPANION,
            x=x,
            bottom=0.8 + rng.randint(-1, 3) / CELLS,
        )
        for x, name in ((0.25, scene.subject), (0.75, scene.other))
    ]
    return sorted(placements, key=lambda thing: thing.bottom)


def _riding(rng: random.Random, scene: Scene, drawings: IconStore) -> list[Placement]:
    """The rider above; what is ridden goes over the rider's feet."""
    ridden = _on_ground(rng, scene, drawings, scene.other)
    seat = concepts()[scene.other].seats[scene.style]
    seat_y = seat.y or roof_height(drawings.icon(scene.style, scene.other), seat.x)
    bottom = ridden.y + ridden.height * seat_y + COMPANION * FEET_BEHIND
    rider = _place(
        scene, drawings, scene.subject, side=COMPANION, x=ridden.across(seat.x), bottom=bottom
    )
    return [replace(rider, shadow=False), ridden]


def _on_top(rng: random.Random, scene: Scene, drawings: IconStore) -> list[Placement]:
    """The subject stands on the other's upper edge, in front of it."""
    base = _on_ground(rng, scene, drawings, scene.other)
    picture = drawings.icon(scene.style, scene.other)
    spot = concepts()[scene.other].tops.get(scene.style, Spot(x=0.5))
    top = base.y + base.height * (spot.y or roof_height(picture, spot.x, reach=0.22))
    subject = _place(
        scene,
        drawings,
        scene.subject,
        side=COMPANION,
        x=base.across(spot.x),
        bottom=top + COMPANION * 0.05,
    )
    return [base, replace(subject, shadow=False)]


def _wearing(rng: random.Random, scene: Scene, drawings: IconStore) -> list[Placement]:
    """A hat on the head, or glasses over the eyes of a face."""
    wearer = _on_ground(rng, scene, drawings, scene.subject)
    worn_drawing = drawings.icon(scene.style, scene.other)
    if "glasses" in concepts()[scene.other].roles:
        share, x, y = 0.5, wearer.x + wearer.width / 2, wearer.y + wearer.height * 0.45
    else:
        picture = drawings.icon(scene.style, scene.subject)
        only_head = scene.style in concepts()[scene.subject].heads
        head = find_head(picture, _faces(scene, scene.subject), only_head=only_head)
        share, x = brim_height(worn_drawing), wearer.across(head.x)
        y = wearer.y + wearer.height * head.y
    worn = _place(scene, drawings, scene.other, side=SMALL, x=x, bottom=y)
    worn = replace(worn, y=worn.y + worn.height * (1 - share), shadow=False)
    return [wearer, worn]


def _holding(rng: random.Random, scene: Scene, drawings: IconStore) -> list[Placement]:
    """The thing before the holder's chest, on the side that it faces."""
    holder = _on_ground(rng, scene, drawings, scene.subject)
    ahead = {"left": 0.08, "right": 0.92, "front": 0.14}[_faces(scene, scene.subject)]
    held = _place(
        scene,
        drawings,
        scene.other,
        side=SMALL,
        x=holder.across(ahead),
        bottom=holder.y + holder.height * 0.88,
    )
    return [holder, replace(held, shadow=False)]


def is_turned(style: str, name: str) -> bool:
    """Return whether a drawing is shown mirrored: in scenes nothing faces right.

    So whoever rides faces where the vehicle goes, and each thing has one look to learn.
    """
    return concepts()[name].faces.get(style) == "right"


def _place(
    scene: Scene, drawings: IconStore, name: str, *, side: float, x: float, bottom: float
) -> Placement:
    """Place a thing with the middle of its lower edge at (x, bottom), its longer side ``side``."""
    width, height = drawings.icon(scene.style, name).size
    scale = side / max(width, height)
    colour = scene.colour if name == scene.subject else scene.other_colour
    return Placement(
        name=name,
        colour=colour,
        x=x - width * scale / 2,
        y=bottom - height * scale,
        width=width * scale,
        height=height * scale,
        flip=is_turned(scene.style, name),
        shadow="sky" not in concepts()[name].roles,
    )
