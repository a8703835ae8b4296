"""Which slot of a scene's caption is shown where in its picture.

That follows from the layout, so nothing has to be painted. See `sheepgen.training.slots` for what
slots are, and `sheepgen.training.lookup` for what learns from this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from sheepgen.training.appearance import GRID
from sheepgen.training.data.layout import lay_out
from sheepgen.training.data.naming import named_things
from sheepgen.training.lookup import NOTHING
from sheepgen.training.slots import PATCHES, THINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sheepgen.training.data.drawings import Drawings
    from sheepgen.training.data.placement import Placement
    from sheepgen.training.data.scenes import Scene

__all__ = ["slots_shown"]

FINENESS = 4
"""Things are laid on a grid so many times finer, and the middle of every place is looked at."""

OPAQUE = 128
"""Of 255."""


def slots_shown(scenes: Sequence[Scene], drawings: Drawings, side: int) -> torch.Tensor:
    """Return which slot of its caption is shown at each place of each scene.

    Where a thing is transparent, its patch counts as shown all the same, unless another thing is
    there: the slot says that the patch is empty.

    Args:
        scenes: Which.
        drawings: What they are composed of.
        side: How many places a side are told apart.

    Returns:
        (scenes, side, side), int8: slots, and `NOTHING` where there is the backdrop alone, or a
        thing that has no slots.
    """
    maps = np.stack([_slots_shown(scene, drawings, side * FINENESS) for scene in scenes])
    middle = slice(FINENESS // 2, None, FINENESS)
    return torch.from_numpy(maps[:, middle, middle].astype(np.int8)) + NOTHING


def _slots_shown(scene: Scene, drawings: Drawings, side: int) -> NDArray[np.uint8]:
    """Return one more than each place's slot, (side, side); zero for `NOTHING`."""
    canvas = Image.new("L", (side, side))
    if scene.kind == "digits":
        return np.asarray(canvas)
    names = [thing.name for thing in named_things(scene.caption)][:THINGS]
    pieces = [
        _piece(_slots_of(thing.name, names), drawings.thing(scene.style, thing.name), thing, side)
        for thing in lay_out(scene, drawings)
    ]
    for piece, _, at in pieces:
        canvas.paste(piece, at)
    for piece, silhouette, at in pieces:
        canvas.paste(piece, at, silhouette)
    return np.asarray(canvas)


def _slots_of(name: str, names: Sequence[str]) -> Image.Image:
    """Return one more than each slot of a thing, (`GRID`, `GRID`); zero if it has none."""
    if name not in names:
        return Image.new("L", (GRID, GRID))
    slots = np.arange(PATCHES, dtype=np.uint8) + names.index(name) * PATCHES + 1
    return Image.fromarray(slots.reshape(GRID, GRID))


def _piece(
    slots: Image.Image, drawing: Image.Image, thing: Placement, side: int
) -> tuple[Image.Image, Image.Image, tuple[int, int]]:
    """Return a thing's slots and its silhouette as large as it is shown, and where that is."""
    width, height = (max(1, round(length * side)) for length in (thing.width, thing.height))
    # A thumbnail, of which patches are cut, has the drawing in the middle of a square.
    longest = max(thing.width, thing.height)
    left, top = ((1 - length / longest) / 2 * GRID for length in (thing.width, thing.height))
    slots = slots.resize(
        (width, height), Image.Resampling.NEAREST, box=(left, top, GRID - left, GRID - top)
    )
    opacity = drawing.getchannel("A").resize((width, height), Image.Resampling.BOX)
    if thing.flip:
        opacity = opacity.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    silhouette = opacity.point(lambda value: 255 * (value >= OPAQUE))
    return slots, silhouette, (round(thing.x * side), round(thing.y * side))
