"""What things look like, as codes that the text encoder learns beside what they mean.

A sentence encoder knows that a sheep is much like a goat, but not that ours is white and woolly. A
U-Net that is told the meaning alone has to learn every thing's look by heart. A code is the drawing
itself, made small and reduced to its principal components: to draw from it is one skill for all
things. So words become what a picture should show before they become the picture, as in unCLIP
(https://arxiv.org/abs/2204.06125).

One code says little of where in a drawing what is, and to unfold it is slow to learn. So a drawing
also has a code for each of its patches: what attends to one of them only has to copy it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from sheepgen.training.data.drawing_sets import STYLES
from sheepgen.training.data.held_out import held_out_drawings
from sheepgen.training.data.placement import is_turned
from sheepgen.training.data.recolour import recoloured
from sheepgen.training.reduction import Reduction, evened_components

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from sheepgen.training.data.drawings import Drawings

__all__ = ["GRID", "Appearances", "Look", "patches_of", "thumbnail"]

SIDE = 32
"""Pixels a side of a thumbnail."""

GRID = 4
"""Patches a side of a drawing."""

EVENNESS = 0.25
"""How far the components are brought to one spread; see `evened_components`.

As they are, the text encoder learns the first ones alone, but what follows the sixteenth explains
half as much of a picture's latents as the first sixteen do. Made equal, most of what there is to
learn are details that nothing else depends on.
"""

PATCH_COMPONENTS = 32
"""How many components a patch's code tells; the rest of it is zero.

Ridge regression from true codes, cut to their first 4, 8, 16, 32 or 96 numbers, leaves .68, .63,
.61, .588 or .587 of the variance of the latents that show the patch.
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What one drawing looks like.

    Args:
        whole: Its code, (width,).
        patches: Those of its patches, row by row, (`GRID` x `GRID`, width).
    """

    whole: Tensor
    patches: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """Codes of drawings; over all drawings of the styles they are of unit variance on average.

    Args:
        drawings: Whose.
        of_wholes: For thumbnails.
        of_patches: For their patches.
    """

    drawings: Drawings
    of_wholes: Reduction
    of_patches: Reduction

    @classmethod
    def fitted(cls, drawings: Drawings, cast: Iterable[str], width: int) -> Appearances:
        """Return codes of that width that tell the drawings of a cast apart.

        Raises:
            ValueError: If there are no two drawings that differ.
        """
        shown = [(style, name) for name in cast for style in _styles_of(name)]
        wholes = torch.stack([thumbnail(_open(drawings, *drawing)) for drawing in shown])
        patches = torch.cat([patches_of(whole) for whole in wholes])
        return cls(
            drawings,
            _told(wholes.flatten(1), width, width),
            _told(patches, PATCH_COMPONENTS, width),
        )

    @property
    def width(self) -> int:
        """Numbers of a code."""
        return self.of_patches.directions.shape[1]

    def look(self, style: str, name: str, colour: str = "") -> Look:
        """Return what a thing looks like in a style, or in the first that training shows it in."""
        styles = _styles_of(name)
        return _look(self, style if style in styles else styles[0], name, colour)


@lru_cache(maxsize=50_000)
def _look(appearances: Appearances, style: str, name: str, colour: str) -> Look:
    picture = _open(appearances.drawings, style, name)
    picture.thumbnail((4 * SIDE, 4 * SIDE))  # To recolour it costs most.
    tiny = thumbnail(recoloured(picture, colour) if colour else picture)
    (whole,) = appearances.of_wholes(tiny.flatten()[None])
    return Look(whole, appearances.of_patches(patches_of(tiny)))


def _open(drawings: Drawings, style: str, name: str) -> Image.Image:
    """Return a drawing, turned as scenes show it."""
    picture = drawings.thing(style, name)
    if is_turned(style, name):
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return picture.copy()


def thumbnail(drawing: Image.Image) -> Tensor:
    """Return a drawing small, in the middle of a square.

    Returns:
        (`SIDE`, `SIDE`, 4): colours in [-1, 1] times opacity, and opacity in [0, 1].
    """
    factor = SIDE * 4 / max(drawing.size)
    width, height = (max(1, round(side * factor)) for side in drawing.size)
    square = Image.new("RGBA", (SIDE * 4, SIDE * 4))
    at = ((square.width - width) // 2, (square.height - height) // 2)
    square.paste(drawing.resize((width, height), Image.Resampling.BOX), at)
    pixels = np.asarray(square, np.float32) / 255
    opacity = pixels[..., 3:]
    colour = (2 * pixels[..., :3] - 1) * opacity
    both = np.concatenate([colour, opacity], axis=-1)
    return torch.from_numpy(both.reshape(SIDE, 4, SIDE, 4, 4).mean((1, 3)))


def patches_of(tiny: Tensor) -> Tensor:
    """Cut a thumbnail into `GRID` by `GRID` patches, row by row, (patches, numbers)."""
    side = SIDE // GRID
    cut = tiny.reshape(GRID, side, GRID, side, -1).transpose(1, 2)
    return cut.reshape(GRID * GRID, -1)


def _told(vectors: Tensor, told: int, width: int) -> Reduction:
    """Return the first ``told`` evened components, and zeros up to ``width``."""
    reduction = evened_components(vectors, min(told, width), EVENNESS)
    silent = width - reduction.directions.shape[1]
    # Of unit variance on average over all, zeros among them.
    scale = (width / (width - silent)) ** 0.5
    return Reduction(reduction.mean, functional.pad(reduction.directions * scale, (0, silent)))


def _styles_of(name: str) -> list[str]:
    """Return the styles that training may show this in."""
    return [style for style in STYLES if (style, name) not in held_out_drawings()]
