"""A tiny tokenizer, trunk and looks, for tests of the text encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.config import TextConfig
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.text_encoder.appearance import (
    ALONE_SIDE,
    BLOCKS,
    COMPANION_SIDE,
    Drawing,
    Looks,
)
from sheepgen.training.text_encoder.attributes import COLOUR_NAMES, facts_of
from sheepgen.training.text_encoder.conditioning_targets import States, slot_things
from sheepgen.training.text_encoder.memory_tokens import ALL
from sheepgen.training.text_encoder.prompt_parser import SLOT_PLACES, TextTrunk
from sheepgen.training.text_encoder.train_parser import build_trunk

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import CLIPTokenizer

    from sheepgen.training.data.scene import Scene

WORDS = 16
SURE = 10.0
NAMES = ("sheep", "cat", "motorcycle")
CONFIG = TextConfig(
    vocab_size=700,
    words=WORDS,
    width=16,
    layers=1,
    heads=4,
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


def answering_trunk(tokenizer: CLIPTokenizer, answers: Tensor) -> TextTrunk:
    """Return a trunk that gives every prompt these log odds, (slot places, answers).

    Facts are asked of padding, too, and get the first place's.
    """
    trunk = build_trunk(tokenizer, NAMES, None, CONFIG)
    with torch.no_grad():
        for weight in trunk.parameters():
            weight.zero_()
        for place in range(SLOT_PLACES):
            trunk.places.weight[WORDS + place, place] = 1
        # As states have a mean of zero, three of a place's answers tell the bias as well.
        trunk.answers.bias.copy_(answers.mean(0))
        trunk.answers.weight[:, :SLOT_PLACES] = (answers - answers.mean(0)).T
        trunk.answers.bias[trunk.facts] = answers[0, trunk.facts]
    return trunk


def knowing_trunk(tokenizer: CLIPTokenizer, scene: Scene | None) -> TextTrunk:
    """Return a trunk that takes every prompt for a scene's, or for none."""
    of = build_trunk(tokenizer, NAMES, None, CONFIG)
    answers = torch.full((SLOT_PLACES, of.answers.out_features), -SURE)
    if scene:
        answers[:, of.facts] = SURE * (2 * facts_of(scene) - 1)
        for name, colour, part in slot_things(scene):
            places = slice(None) if part == ALL else part.thing
            answers[places, NAMES.index(name)] = SURE
            if colour:
                answers[places, of.colours.start + COLOUR_NAMES.index(colour)] = SURE
    return answering_trunk(tokenizer, answers)
