"""Place a scene's icons: boxes computed from their silhouettes.

Icons have three sizes and stand on a grid as fine as the VAE's latents, so an icon's latents are
the same wherever it is, and the U-Net can learn to copy them. With free sizes and positions, every
position would be another picture to learn.

Lengths are fractions of the picture's side; (0, 0) is the upper left corner.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import Spot, concepts
from sheepgen.training.data.silhouettes import brim_height, find_head, support_height

if TYPE_CHECKING:
    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.data.scene import Scene

__all__ = [
    "ALONE",
    "CELLS",
    "COMPANION",
    "SMALL",
    "Placement",
    "is_turned",
    "lay_out",
    "snap_to_grid",
]

CELLS = 32
"""Cells along a picture's side, one for each position of its latents."""

ALONE = 24 / CELLS
"""The longer side of an icon that is alone in a picture."""

COMPANION = 16 / CELLS
"""The longer side of an icon that is not."""

SMALL = 8 / CELLS
"""The longer side of what is worn or held."""

OVERLAP = 0.12
"""The share of a rider's height that is behind what it rides."""

SINK = 0.05
"""The share of a height by which something stands below the edge that it stands on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Position and colour of one icon in a picture.

    Args:
        name: Its concept.
        colour: A key of `COLOURS`; empty for its own colours.
        x: Left edge.
        y: Upper edge.
        width: Its width.
        height: Its height.
        flip: Whether it is mirrored left to right.
        shadow: Whether it casts a shadow on the ground.
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
        """The lower edge."""
        return self.y + self.height

    def across(self, share: float) -> float:
        """Return the x of a point at this share of the icon's width, as the icon was drawn."""
        return self.x + self.width * (1 - share if self.flip else share)


def lay_out(scene: Scene, icons: IconStore) -> list[Placement]:
    """Place a scene's icons, back to front; equal scenes give equal placements.

    Digits have no placement: `paint_scene` writes them anywhere near the middle.
    """
    if scene.kind == "digits":
        return []
    layouts = {
        "riding": _riding,
        "on_top": _on_top,
        "wearing": _wearing,
        "holding": _holding,
        "next_to": _next_to,
    }
    rng = random.Random(scene.layout_seed)  # noqa: S311
    placements = layouts.get(scene.kind, _rows)(rng, scene, icons)
    placements = [snap_to_grid(placement) for placement in placements]
    return [_mirrored(scene, each) for each in placements] if scene.mirrored else placements


def _mirrored(scene: Scene, placement: Placement) -> Placement:
    """Mirror a placement with the picture; of things side by side, each where it is."""
    left = placement.x if scene.kind == "next_to" else 1 - placement.x - placement.width
    return replace(placement, x=left, flip=not placement.flip)


def snap_to_grid(placement: Placement) -> Placement:
    """Move a placement to the nearest position on the grid where it is all in the picture.

    On the grid is its square: as wide and high as the longer side, with the icon in the middle of
    its lower edge.
    """
    side = max(placement.width, placement.height)
    left = round((placement.x + placement.width / 2 - side / 2) * CELLS) / CELLS
    bottom = round(placement.bottom * CELLS) / CELLS
    while bottom < placement.height:
        bottom += 1 / CELLS
    # Rounded, so that an error of 1e-17 does not move what just fits.
    x = round(left + (side - placement.width) / 2, 9)
    while x < 0:
        x += 1 / CELLS
    while round(x + placement.width, 9) > 1:
        x -= 1 / CELLS
    return replace(placement, x=x, y=min(bottom, 1.0) - placement.height)


def is_turned(style: str, name: str) -> bool:
    """Return whether an icon is turned round: in scenes that are not mirrored nothing faces right.

    So a rider faces where the vehicle goes, and each icon has one appearance to learn.
    """
    return concepts()[name].faces.get(style) == "right"


def _place(
    scene: Scene, icons: IconStore, name: str, *, side: float, x: float, bottom: float
) -> Placement:
    """Place an icon with the middle of its lower edge at (x, bottom), its longer side ``side``."""
    width, height = icons.icon(scene.style, name).size
    scale = side / max(width, height)
    return Placement(
        name=name,
        colour=scene.colour if name == scene.subject else scene.other_colour,
        x=x - width * scale / 2,
        y=bottom - height * scale,
        width=width * scale,
        height=height * scale,
        flip=is_turned(scene.style, name),
        shadow="sky" not in concepts()[name].roles,
    )


def _place_base(rng: random.Random, scene: Scene, icons: IconStore, name: str) -> Placement:
    """Place the icon that the other one is relative to: near the middle, on the ground."""
    x = 0.5 + rng.randint(-2, 2) / CELLS
    bottom = 1 - rng.randint(1, 3) / CELLS
    return snap_to_grid(_place(scene, icons, name, side=COMPANION, x=x, bottom=bottom))


def _rows(rng: random.Random, scene: Scene, icons: IconStore) -> list[Placement]:
    """Place one icon, or up to four of a kind in one or two rows."""
    if scene.count == 1:
        x, bottom = 0.5 + rng.randint(-3, 3) / CELLS, 1 - rng.randint(1, 4) / CELLS
        return [_place(scene, icons, scene.subject, side=ALONE, x=x, bottom=bottom)]
    if scene.count == 2:
        bottom = 0.75 + rng.randint(-1, 3) / CELLS
        spots = [(0.25, bottom), (0.75, bottom)]
    else:
        upper = [(0.5, 0.5)] if scene.count == 3 else [(0.25, 0.5), (0.75, 0.5)]
        spots = [*upper, (0.25, 1 - 1 / CELLS), (0.75, 1 - 1 / CELLS)]
    return [
        _place(scene, icons, scene.subject, side=COMPANION, x=x, bottom=bottom)
        for x, bottom in spots
    ]


def _next_to(rng: random.Random, scene: Scene, icons: IconStore) -> list[Placement]:
    """Place the subject left of the other; the lower one is in front."""
    placements = []
    for x, name in ((0.25, scene.subject), (0.75, scene.other)):
        bottom = 0.8 + rng.randint(-1, 3) / CELLS
        placements.append(_place(scene, icons, name, side=COMPANION, x=x, bottom=bottom))
    return sorted(placements, key=lambda placement: placement.bottom)


def _riding(rng: random.Random, scene: Scene, icons: IconStore) -> list[Placement]:
    """Place the rider on the seat, its feet behind what it rides."""
    ridden = _place_base(rng, scene, icons, scene.other)
    seat = concepts()[scene.other].seats[scene.style]
    seat_y = seat.y or support_height(icons.icon(scene.style, scene.other), seat.x)
    x = ridden.across(seat.x)
    bottom = ridden.y + ridden.height * seat_y + COMPANION * OVERLAP
    rider = _place(scene, icons, scene.subject, side=COMPANION, x=x, bottom=bottom)
    return [replace(rider, shadow=False), ridden]


def _on_top(rng: random.Random, scene: Scene, icons: IconStore) -> list[Placement]:
    """Place the subject on the other's upper edge, in front of it."""
    base = _place_base(rng, scene, icons, scene.other)
    spot = concepts()[scene.other].tops.get(scene.style, Spot(x=0.5))
    top_y = spot.y or support_height(icons.icon(scene.style, scene.other), spot.x, reach=0.22)
    x = base.across(spot.x)
    bottom = base.y + base.height * top_y + COMPANION * SINK
    subject = _place(scene, icons, scene.subject, side=COMPANION, x=x, bottom=bottom)
    return [base, replace(subject, shadow=False)]


def _wearing(rng: random.Random, scene: Scene, icons: IconStore) -> list[Placement]:
    """Place a hat on the wearer's head, or glasses over its eyes."""
    wearer = _place_base(rng, scene, icons, scene.subject)
    subject, other = concepts()[scene.subject], concepts()[scene.other]
    if "glasses" in other.roles:
        share, x, y = 0.5, wearer.x + wearer.width / 2, wearer.y + wearer.height * 0.45
    else:
        faces = subject.faces.get(scene.style, "front")
        only_head = scene.style in subject.heads
        head = find_head(icons.icon(scene.style, subject.name), faces, only_head=only_head)
        share = brim_height(icons.icon(scene.style, other.name))
        x, y = wearer.across(head.x), wearer.y + wearer.height * head.y
    worn = _place(scene, icons, other.name, side=SMALL, x=x, bottom=y)
    # The hat's brim, or the middle of the glasses, is at y.
    worn = replace(worn, y=worn.y + worn.height * (1 - share), shadow=False)
    return [wearer, worn]


def _holding(rng: random.Random, scene: Scene, icons: IconStore) -> list[Placement]:
    """Place what is held in front of the holder's chest, on the side that it faces."""
    holder = _place_base(rng, scene, icons, scene.subject)
    faces = concepts()[scene.subject].faces.get(scene.style, "front")
    x = holder.across({"left": 0.08, "right": 0.92, "front": 0.14}[faces])
    bottom = holder.y + holder.height * 0.88
    held = _place(scene, icons, scene.other, side=SMALL, x=x, bottom=bottom)
    return [holder, replace(held, shadow=False)]
