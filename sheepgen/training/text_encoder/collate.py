"""Examples as the prompt parser reads them, and what it should answer, as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.prompt import read_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from sheepgen.embedded.prompt_parser import PromptParser
    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.text_encoder.prompt_dataset import PromptExample

__all__ = ["NOT_ASKED", "ParserBatch", "collate"]

NOT_ASKED = -100
"""The answer for symbols that are not mentions: cross-entropy leaves it out."""


@dataclass(frozen=True, slots=True)
class ParserBatch:
    """What the parser reads, and the numbers of the right answers.

    Args:
        ids: (prompts, symbols), padded.
        questions: For each question (prompts,).
        owners: (prompts, symbols), `NOT_ASKED` where there is no mention.
        colours: (prompts, symbols), `NOT_ASKED` where there is none of a concept that is shown.
    """

    ids: Tensor
    questions: Mapping[str, Tensor]
    owners: Tensor
    colours: Tensor

    def to(self, device: torch.device) -> ParserBatch:
        """Return it on another device."""
        return ParserBatch(
            ids=self.ids.to(device),
            questions={name: answers.to(device) for name, answers in self.questions.items()},
            owners=self.owners.to(device),
            colours=self.colours.to(device),
        )


def collate(
    examples: Sequence[PromptExample], vocabulary: Vocabulary, parser: PromptParser
) -> ParserBatch:
    """Read the prompts and align their mentions with the concepts that are shown.

    A concept that is named twice is the one that it is named first.
    """
    read = [read_words(example.prompt, vocabulary) for example in examples]
    length = max(1, *(len(words.symbols) for words in read))
    ids = torch.zeros(len(read), length, dtype=torch.long)
    owners, colours = torch.full((2, len(read), length), NOT_ASKED)
    for row, (words, example) in enumerate(zip(read, examples, strict=True)):
        for at, symbol in enumerate(words.symbols):
            ids[row, at] = vocabulary.ids[symbol]
        shown = {example.first: 1, example.second: 2}
        for mention in words.mentions:
            owners[row, mention.symbol] = owner = shown.pop(mention.concept, 0)
            if owner:
                colour = example.colours.get(mention.concept, "")
                colours[row, mention.symbol] = parser.colours.index(colour)
    return ParserBatch(
        ids=ids,
        questions={
            name: torch.tensor(
                [answers.index(example.answers.get(name, "")) for example in examples]
            )
            for name, answers in parser.questions.items()
        },
        owners=owners,
        colours=colours,
    )
