"""What things look like, as codes that the text encoder learns beside what they mean.

A sentence encoder knows that a sheep is much like a goat, but not that ours is white and woolly. A
U-Net that is told the meaning alone has to learn every thing's look by heart. A code is the drawing
itself, made tiny and reduced to its principal components: to draw from it is one skill for all
things. So words become what a picture should show before they become the picture, as in unCLIP
(https://arxiv.org/abs/2204.06125).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.drawing_sets import STYLES, TRAINING_SETS
from sheepgen.training.data.held_out import held_out_drawings
from sheepgen.training.data.naming import named_things
from sheepgen.training.reduction import principal_components

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from sheepgen.training.data.drawings import Drawings

__all__ = ["Appearances", "thumbnail"]

SIDE = 16
"""Pixels a side of a thumbnail."""

EVENNESS = 0.75
"""How far the components are brought to one spread; 0 leaves them as they are, 1 makes them equal.

As they are, the first varies twelve times more than the last of 96, and the text encoder learns
the first ones alone: of the last it explained a third. But what follows the sixteenth explains half
as much of a close-up's latents as the first sixteen do.
"""


@dataclass(frozen=True, slots=True)
class Appearances:
    """The codes of things, and which words show them.

    Args:
        codes: A concept's name to its code, (width,); of unit variance on average over all.
    """

    codes: Mapping[str, Tensor]

    @classmethod
    def of(cls, drawings: Drawings, cast: Iterable[str], width: int) -> Appearances:
        """Reduce the drawings of a cast to codes at most so wide, one narrower than the cast.

        Raises:
            ValueError: If there are no two drawings that differ.
        """
        styles = {name: _style_of(name) for name in cast}
        tiny = torch.stack([thumbnail(drawings.thing(styles[name], name)) for name in styles])
        reduced = principal_components(tiny, width)(tiny)
        evened = reduced * reduced.std(0) ** -EVENNESS
        codes = evened / evened.square().mean().sqrt()
        return cls(dict(zip(styles, codes, strict=True)))

    @property
    def width(self) -> int:
        """Numbers of a code."""
        return len(next(iter(self.codes.values())))

    def shown(self, sentence: str) -> dict[int, Tensor]:
        """Return the codes of the things that a sentence names.

        Returns:
            The number of the last word of each thing's name, as spaces separate words, to its code.
        """
        things = named_things(sentence).items()
        return {last: self.codes[name] for last, name in things if name in self.codes}


def thumbnail(drawing: Image.Image) -> Tensor:
    """Return a drawing as (`SIDE` x `SIDE` x 4,): colours in [-1, 1] times opacity, and opacity."""
    factor = SIDE * 4 / max(drawing.size)
    width, height = (max(1, round(side * factor)) for side in drawing.size)
    square = Image.new("RGBA", (SIDE * 4, SIDE * 4))
    at = ((square.width - width) // 2, (square.height - height) // 2)
    square.paste(drawing.resize((width, height), Image.Resampling.BOX), at)
    pixels = np.asarray(square, np.float32) / 255
    opacity = pixels[..., 3:]
    colour = (2 * pixels[..., :3] - 1) * opacity
    both = np.concatenate([colour, opacity], axis=-1)
    return torch.from_numpy(both.reshape(SIDE, 4, SIDE, 4, 4).mean((1, 3)).ravel())


def _style_of(name: str) -> str:
    """Return the first set that trains with a drawing of this, the house style's if it has one."""
    return next(
        style
        for style in (*STYLES, *TRAINING_SETS)
        if style in concepts()[name].drawings and (style, name) not in held_out_drawings()
    )
