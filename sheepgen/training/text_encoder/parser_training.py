"""Trains the prompt parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.embedded.prompt_parser import PromptParser
from sheepgen.embedded.scene_labels import KINDS
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.text_encoder.parser_batch import NOT_ASKED

if TYPE_CHECKING:
    from torch import Tensor

    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.text_encoder.parser_batch import ParserBatch

__all__ = ["QUESTIONS", "build_parser", "parser_loss"]

QUESTIONS = {
    "kind": ("", *KINDS),
    "count": ("", "1", "2", "3", "4"),
    "style": ("", *STYLES),
    "place": ("", *PLACES),
    "time": ("", *TIMES),
    "weather": ("", *WEATHERS),
    "background": ("", *COLOURS),
    "digits": ("", *"0123456789"),
    "second digit": ("", *"0123456789"),
}
"""What the parser is asked of a prompt, and all answers."""


def build_parser(
    vocabulary: Vocabulary, *, width: int, layers: int, heads: int, seed: int
) -> PromptParser:
    """Return an untrained parser."""
    torch.manual_seed(seed)
    return PromptParser(
        len(vocabulary.ids), QUESTIONS, tuple(COLOURS), width=width, layers=layers, heads=heads
    )


def parser_loss(parser: PromptParser, batch: ParserBatch) -> Tensor:
    """Return the summed cross-entropies of all answers."""
    logits = parser(batch.ids)
    loss = sum(
        (
            functional.cross_entropy(scores, batch.questions[name])
            for name, scores in logits.questions.items()
        ),
        start=torch.zeros(()),
    )
    for scores, right in ((logits.owners, batch.owners), (logits.colours, batch.colours)):
        if bool((right != NOT_ASKED).any()):
            loss = loss + functional.cross_entropy(scores.mT, right, ignore_index=NOT_ASKED)
    return loss
