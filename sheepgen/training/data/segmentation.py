"""Label maps of scenes, one label for each position of the latents; computed from the layout.

Target token maps supervise the U-Net's attention (`sheepgen.training.unet.attention_supervision`),
class maps train the classifier (`sheepgen.training.evaluation.classifier`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from sheepgen.embedded.memory_tokens import token_blocks
from sheepgen.training.data.layout import CELLS, lay_out
from sheepgen.training.evaluation.attributes import concept_classes
from sheepgen.training.unet.attention_supervision import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sheepgen.embedded.memory_tokens import TokenBlock
    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.data.layout import Placement
    from sheepgen.training.data.scene import Scene

__all__ = ["UNCLEAR", "class_map", "class_maps", "target_token_map", "target_token_maps"]

UNCLEAR = -2
"""The label around digits, which are anywhere near the middle, and of concepts that the classifier
does not know."""

OPAQUE = 64
"""The least opacity, of 255, with which an icon hides what is behind it in a cell."""

SILHOUETTE_CACHE = 8_000

DIGIT_ROWS = slice(CELLS * 3 // 8, CELLS * 5 // 8)
DIGIT_COLUMNS = {
    1: (slice(CELLS * 3 // 8, CELLS * 5 // 8),),
    2: (slice(CELLS // 4, CELLS // 2), slice(CELLS // 2, CELLS * 3 // 4)),
}
"""The cells that one digit, or each of two, is sure to cover."""


def target_token_maps(scenes: Sequence[Scene], icons: IconStore) -> torch.Tensor:
    """Return the `target_token_map` of each scene, (scenes, `CELLS`, `CELLS`), int16."""
    return torch.from_numpy(np.stack([target_token_map(scene, icons) for scene in scenes]))


def class_maps(scenes: Sequence[Scene], icons: IconStore) -> torch.Tensor:
    """Return the `class_map` of each scene, (scenes, `CELLS`, `CELLS`), int16."""
    return torch.from_numpy(np.stack([class_map(scene, icons) for scene in scenes]))


def target_token_map(scene: Scene, icons: IconStore) -> NDArray[np.int16]:
    """Return which memory token holds what is shown in each cell of a picture.

    All of an icon's square has its tokens, also where it is transparent (they hold the opacity),
    unless another icon is there. What is worn or held is half as large as its tokens' block: a cell
    shows four of them, and which of these is the target depends on ``layout_seed``.

    Returns:
        (`CELLS`, `CELLS`): numbers of memory tokens, and `NOTHING` for the background.
    """
    labels = np.full((CELLS, CELLS), NOTHING, np.int16)
    names = list(scene.things)
    blocks = dict(zip(names, token_blocks(len(names), alone=scene.kind == "single"), strict=True))
    placements = lay_out(scene, icons)
    for transparent in (True, False):
        for placement in placements:
            mask = _silhouette(icons, scene.style, placement)
            tokens = _tokens_shown(blocks[placement.name], len(mask), scene.layout_seed)
            _write(labels, placement, tokens, np.ones_like(mask) if transparent else mask)
    return labels


def class_map(scene: Scene, icons: IconStore) -> NDArray[np.int16]:
    """Return which concept is visible in each cell of a picture.

    Returns:
        (`CELLS`, `CELLS`): indices of `concept_classes`, `NOTHING` for the background, and
        `UNCLEAR`.
    """
    labels = np.full((CELLS, CELLS), NOTHING, np.int16)
    index_of = {name: index for index, name in enumerate(concept_classes())}
    if scene.kind == "digits":
        labels[:] = UNCLEAR
        for digit, columns in zip(scene.subject, DIGIT_COLUMNS[len(scene.subject)], strict=True):
            labels[DIGIT_ROWS, columns] = index_of[f"digit {digit}"]
        return labels
    for placement in lay_out(scene, icons):
        mask = _silhouette(icons, scene.style, placement)
        index = index_of.get(placement.name, UNCLEAR)
        _write(labels, placement, np.full(mask.shape, index, np.int16), mask)
    return labels


def _tokens_shown(block: TokenBlock, side: int, seed: int) -> NDArray[np.int16]:
    """Return a block's tokens, (side, side), fewer than it has if it is shown smaller."""
    tokens = np.arange(block.tokens.start, block.tokens.stop, dtype=np.int16)
    step = block.side // side
    row, column = divmod(seed % step**2, step)
    return tokens.reshape(block.side, block.side)[row::step, column::step]


def _side(placement: Placement) -> int:
    return round(max(placement.width, placement.height) * CELLS)


def _write(
    labels: NDArray[np.int16],
    placement: Placement,
    values: NDArray[np.int16],
    mask: NDArray[np.bool_],
) -> None:
    """Write values, (side, side), to the cells of a placement's square that are in the picture."""
    side = len(values)
    left = round((placement.x + placement.width / 2) * CELLS - side / 2)
    top = round(placement.bottom * CELLS) - side
    rows, columns = (slice(max(0, start), start + side) for start in (top, left))
    inside = np.s_[max(0, -top) : CELLS - top, max(0, -left) : CELLS - left]
    np.copyto(labels[rows, columns], values[inside], where=mask[inside])


def _silhouette(icons: IconStore, style: str, placement: Placement) -> NDArray[np.bool_]:
    """Return which cells of its square an icon fills, (side, side)."""
    return _filled_cells(icons, style, placement.name, _side(placement), placement.flip)


@lru_cache(maxsize=SILHOUETTE_CACHE)
def _filled_cells(
    icons: IconStore, style: str, name: str, side: int, flip: bool
) -> NDArray[np.bool_]:
    opacity = icons.icon(style, name).getchannel("A")
    if flip:
        opacity = opacity.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    factor = side / max(opacity.size)
    width, height = (max(1, round(length * factor)) for length in opacity.size)
    square = Image.new("L", (side, side))
    small = opacity.resize((width, height), Image.Resampling.BOX)
    square.paste(small, (round((side - width) / 2), side - height))
    return np.asarray(square) >= OPAQUE
