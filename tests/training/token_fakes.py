"""A text encoder whose drawings are noise, for tests of what is trained on its tokens."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.drawings import Drawing, DrawingTable
from sheepgen.embedded.memory_tokens import CELLS_A_DRAWING
from sheepgen.training.config import TextConfig
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.text_encoder.build_text_encoder import build_text_encoder
from sheepgen.training.text_encoder.build_vocabulary import build_vocabulary
from sheepgen.training.text_encoder.cell_table import CellTable
from sheepgen.training.text_encoder.train_parser import build_parser

if TYPE_CHECKING:
    from sheepgen.embedded.scene_text_encoder import SceneTextEncoder

__all__ = ["DRAWINGS", "random_text_encoder"]

NAMES = ("sheep", "cat", "motorcycle")
DRAWINGS = DrawingTable.of([Drawing(name, style) for name in NAMES for style in STYLES])


@cache
def random_text_encoder(width: int = 5) -> SceneTextEncoder:
    """Return an untrained text encoder with random cells of so many numbers."""
    rng = torch.Generator().manual_seed(0)
    cells = torch.randn(len(DRAWINGS.drawings), CELLS_A_DRAWING, width, generator=rng)
    vocabulary = build_vocabulary(NAMES, DRAWINGS.drawings)
    parser = build_parser(vocabulary, TextConfig(width=16, layers=1, heads=2))
    return build_text_encoder(vocabulary, CellTable.of(cells), parser)
