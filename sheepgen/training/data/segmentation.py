"""What is shown at each place of a scene's latents: which slot of its caption, and which thing.

That follows from the layout, so nothing has to be painted. See
`sheepgen.training.text_encoder.memory_tokens` for what slots are,
`sheepgen.training.unet.attention_supervision` for what learns from them, and
`sheepgen.training.evaluation.classifier` for what learns from things.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from sheepgen.training.data.layout import CELLS, is_turned, lay_out
from sheepgen.training.evaluation.attributes import concept_classes
from sheepgen.training.text_encoder.conditioning_targets import slot_things
from sheepgen.training.unet.attention_supervision import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.data.layout import Placement
    from sheepgen.training.data.scene import Scene
    from sheepgen.training.text_encoder.memory_tokens import Part

    Opacity = Callable[[str, str, int], NDArray[np.bool_]]

__all__ = ["UNCLEAR", "class_maps", "target_token_maps"]

UNCLEAR = -2
"""Stands for whatever is around digits, which are written anywhere in some part of a picture, and
for concepts that the classifier does not know."""

OPAQUE = 64
"""Of 255, how opaque a thing is in a cell that it takes from what is behind."""

REMEMBERED = 8_000
"""Silhouettes that are kept in memory."""

DIGIT_ROWS = slice(CELLS * 3 // 8, CELLS * 5 // 8)
DIGIT_COLUMNS = {
    1: (slice(CELLS * 3 // 8, CELLS * 5 // 8),),
    2: (slice(CELLS // 4, CELLS // 2), slice(CELLS // 2, CELLS * 3 // 4)),
}
"""Where one digit, or each of two, is for certain."""


def target_token_maps(scenes: Sequence[Scene], drawings: IconStore) -> torch.Tensor:
    """Return which slot of its caption is shown at each place of each scene.

    Where a thing is transparent, its cell counts as shown all the same, unless another thing is
    there: the slot says that the cell is empty. Of what is worn or held, a place shows four cells:
    which of them is told differs from scene to scene, so that all four are learned.

    Args:
        scenes: Which.
        drawings: What they are composed of.

    Returns:
        (scenes, `CELLS`, `CELLS`), int16: slots, and `NOTHING` where there is the backdrop alone.
    """
    opaque = lru_cache(REMEMBERED)(partial(_opaque, drawings))
    maps = [_slots_shown(scene, lay_out(scene, drawings), opaque) for scene in scenes]
    return torch.from_numpy(np.stack(maps))


def class_maps(scenes: Sequence[Scene], drawings: IconStore) -> torch.Tensor:
    """Return the class map of each scene; arguments as `target_token_maps`.

    Returns:
        (scenes, `CELLS`, `CELLS`), int16: numbers of `concept_classes`, `NOTHING`, and `UNCLEAR`.
    """
    opaque = lru_cache(REMEMBERED)(partial(_opaque, drawings))
    maps = [_class_map(scene, lay_out(scene, drawings), opaque) for scene in scenes]
    return torch.from_numpy(np.stack(maps))


def _slots_shown(scene: Scene, things: Sequence[Placement], opaque: Opacity) -> NDArray[np.int16]:
    shown = np.full((CELLS, CELLS), NOTHING, np.int16)
    parts = {name: part for name, _, part in slot_things(scene)}
    for everywhere in (True, False):
        for thing in things:
            where = opaque(scene.style, thing.name, _side(thing))
            slots = _slots_of(parts[thing.name], len(where), scene.layout_seed)
            _put(shown, thing, slots, np.ones_like(where) if everywhere else where)
    return shown


def _slots_of(part: Part, side: int, seed: int) -> NDArray[np.int16]:
    """Return a thing's slots as many a side as it is shown, (side, side)."""
    slots = np.arange(part.first, part.slots.stop, dtype=np.int16).reshape(part.side, part.side)
    step = part.side // side
    row, column = divmod(seed % step**2, step)
    return slots[row::step, column::step]


def _class_map(scene: Scene, things: Sequence[Placement], opaque: Opacity) -> NDArray[np.int16]:
    shown = np.full((CELLS, CELLS), NOTHING, np.int16)
    number_of = {name: number for number, name in enumerate(concept_classes())}
    if scene.kind == "digits":
        shown[:] = UNCLEAR
        columns = DIGIT_COLUMNS[len(scene.subject)]
        for digit, place in zip(scene.subject, columns, strict=True):
            shown[DIGIT_ROWS, place] = number_of[f"digit {digit}"]
        return shown
    for thing in things:
        where = opaque(scene.style, thing.name, _side(thing))
        _put(
            shown, thing, np.full(where.shape, number_of.get(thing.name, UNCLEAR), np.int16), where
        )
    return shown


def _side(thing: Placement) -> int:
    return round(max(thing.width, thing.height) * CELLS)


def _put(
    shown: NDArray[np.int16],
    thing: Placement,
    numbers: NDArray[np.int16],
    where: NDArray[np.bool_],
) -> None:
    """Write the numbers of a thing's cells where it is, as far as that is in the picture."""
    side = len(numbers)
    left = round((thing.x + thing.width / 2) * CELLS - side / 2)
    top = round(thing.bottom * CELLS) - side
    rows, columns = (slice(max(0, start), start + side) for start in (top, left))
    seen = np.s_[max(0, -top) : CELLS - top, max(0, -left) : CELLS - left]
    np.copyto(shown[rows, columns], numbers[seen], where=where[seen])


def _opaque(drawings: IconStore, style: str, name: str, side: int) -> NDArray[np.bool_]:
    """Return which cells of its square a drawing fills, (side, side)."""
    opacity = drawings.icon(style, name).getchannel("A")
    if is_turned(style, name):
        opacity = opacity.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    factor = side / max(opacity.size)
    width, height = (max(1, round(length * factor)) for length in opacity.size)
    square = Image.new("L", (side, side))
    small = opacity.resize((width, height), Image.Resampling.BOX)
    square.paste(small, (round((side - width) / 2), side - height))
    return np.asarray(square) >= OPAQUE
