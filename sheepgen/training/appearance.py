"""What things look like, as codes that the text encoder learns beside what they mean.

A sentence encoder knows that a sheep is much like a goat, but not that ours is white and woolly. A
U-Net that is told the meaning alone has to learn every thing's look by heart. A code is the drawing
itself, made tiny and reduced to its principal components: to draw from it is one skill for all
things. So words become what a picture should show before they become the picture, as in unCLIP
(https://arxiv.org/abs/2204.06125).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.drawing_sets import STYLES, TRAINING_SETS
from sheepgen.training.data.held_out import held_out_drawings
from sheepgen.training.data.places import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.reduction import principal_components

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from sheepgen.training.data.drawings import Drawings
    from sheepgen.training.data.places import Light, Place, Weather

__all__ = ["Appearances", "thumbnail"]

SIDE = 16
"""Pixels a side of a thumbnail."""

SURFACES = ("background", "wall")
"""What a colour word is said of besides things."""


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
        return cls(dict(zip(styles, reduced, strict=True)))

    @property
    def width(self) -> int:
        """Numbers of a code."""
        return len(next(iter(self.codes.values())))

    def shown(self, sentence: str) -> dict[int, Tensor]:
        """Return the codes of the things that a sentence names.

        Returns:
            The number of the last word of each thing's name, as spaces separate words, to its code.
        """
        words = [word.strip(".,").lower() for word in sentence.split()]
        names = {first: (last, name) for first, last, name in _named(words)}
        return {
            last: self.codes[name]
            for first, (last, name) in names.items()
            if name in self.codes and not _is_colour(words, first, names)
        }


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


@cache
def _meanings() -> dict[str, str]:
    """Return the concept of each name; what says where or when is none, nor are its words."""
    stage: list[Place | Light | Weather] = [*PLACES.values(), *TIMES.values(), *WEATHERS.values()]
    return {phrase: "" for setting in stage for phrase in setting.phrases} | {
        word: concept.name
        for concept in concepts().values()
        for word in (concept.plural, *concept.words)
    }


def _named(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the first and the last word of each name, the longest that begins there, and whose."""
    start = 0
    while start < len(words):
        for end in range(len(words), start, -1):
            name = _meanings().get(" ".join(words[start:end]))
            if name is not None:
                if name:
                    yield start, end - 1, name
                start = end - 1
                break
        start += 1


def _is_colour(words: Sequence[str], at: int, names: Container[int]) -> bool:
    """Tell "an orange cat", "an orange background" and "against orange" from "an orange"."""
    if words[at] not in COLOURS:
        return False
    before, after = words[max(0, at - 1)], words[min(at + 1, len(words) - 1)]
    return at + 1 in names or after in SURFACES or before == "against"
