"""Where one drawing goes in a picture.

Lengths are fractions of the picture's side; (0, 0) is the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import concepts

if TYPE_CHECKING:
    from sheepgen.training.data.icons import Drawings
    from sheepgen.training.data.scene import Scene

__all__ = ["CELLS", "Placement", "is_turned", "stand"]

CELLS = 32
"""A picture's side in cells of the grid that things stand on, one for each place of its latents."""


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


def is_turned(style: str, name: str) -> bool:
    """Return whether a drawing is shown mirrored: in scenes nothing faces right.

    So whoever rides faces where the vehicle goes, and each thing has one look to learn.
    """
    return concepts()[name].faces.get(style) == "right"


def stand(
    scene: Scene, drawings: Drawings, name: str, *, side: float, x: float, bottom: float
) -> Placement:
    """Place a thing with the middle of its lower edge at (x, bottom), its longer side ``side``."""
    width, height = drawings.thing(scene.style, name).size
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
