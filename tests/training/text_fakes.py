"""A tiny tokenizer, trunk and looks, for tests of the text encoder."""

from __future__ import annotations

import torch

from sheepgen.training.config import TextConfig
from sheepgen.training.data.drawing_sets import STYLES
from sheepgen.training.looks import ALONE_SIDE, BLOCKS, COMPANION_SIDE, Drawing, Looks
from sheepgen.training.states import States

WORDS = 16
NAMES = ("sheep", "cat", "motorcycle")
CONFIG = TextConfig(
    vocab_size=700,
    words=WORDS,
    width=16,
    layers=1,
    heads=2,
    steps=30,
    batch_size=16,
    learning_rate=1e-2,
)
CAPTIONS = [f"a {thing} {where}" for thing in NAMES for where in ("at night", "riding")]


def random_states(width: int = 5) -> States:
    """Return states of drawings that look like noise; of the last thing there is but one."""
    generator = torch.Generator().manual_seed(0)
    drawings = [Drawing(style, name) for name in NAMES for style in STYLES][:-2]
    alone, companion = (
        torch.randn(len(drawings), BLOCKS**2, (side // BLOCKS) ** 2, width, generator=generator)
        for side in (ALONE_SIDE, COMPANION_SIDE)
    )
    looks = Looks.fitted(alone, companion, width=6, block_width=9)
    return States(looks, {drawing: row for row, drawing in enumerate(drawings)}, WORDS)
