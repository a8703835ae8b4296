"""Trains the prompt parser: from prompts and answers, as text, to tensors and their loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.prompt_parser import PromptParser
from sheepgen.embedded.scene_labels import KINDS
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.text_encoder.prompt_dataset import PromptDataset
from sheepgen.training.trainer import Trainer, TrainerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.config import TextConfig
    from sheepgen.training.text_encoder.prompt_dataset import PromptExample
    from sheepgen.training.trainer import TrainStep

__all__ = [
    "NOT_ASKED",
    "QUESTIONS",
    "ParserBatch",
    "build_parser",
    "collate",
    "parser_loss",
    "train_parser",
]

WARMUP_STEPS = 100

BATCHES_SORTED = 4
"""How many batches' prompts are sorted by length before they are divided."""

NOT_ASKED = -100
"""The answer for symbols that are not mentions: cross-entropy leaves it out."""

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


def build_parser(vocabulary: Vocabulary, config: TextConfig) -> PromptParser:
    """Return an untrained parser."""
    torch.manual_seed(config.seed)
    return PromptParser(
        len(vocabulary.ids),
        QUESTIONS,
        tuple(COLOURS),
        width=config.width,
        layers=config.layers,
        heads=config.heads,
    )


def train_parser(
    parser: PromptParser,
    vocabulary: Vocabulary,
    config: TextConfig,
    checkpoint: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train a parser in place, from its checkpoint if there is one; yield every step."""
    dataset = PromptDataset(config.seed, vocabulary, STYLES)
    settings = TrainerSettings(
        stage="parser",
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup_steps=min(WARMUP_STEPS, config.steps // 4),
    )
    optimizer = torch.optim.AdamW(parser.to(device).parameters(), lr=0.0, betas=(0.9, 0.98))
    trainer = Trainer(parser, {"adamw": optimizer}, settings, checkpoint)
    for step in trainer.remaining_steps():
        batch = collate(_batch(dataset, step, config.batch_size), vocabulary, parser)
        yield trainer.update(parser_loss(parser, batch.to(device)))
    parser.eval()


def _batch(dataset: PromptDataset, step: int, size: int) -> list[PromptExample]:
    """Return the examples of a step, of about one length: short prompts together pad little."""
    group, part = divmod(step, BATCHES_SORTED)
    first = group * BATCHES_SORTED * size
    examples = [dataset[index] for index in range(first, first + BATCHES_SORTED * size)]
    examples.sort(key=lambda example: len(example.prompt))
    # Lengths alternate, so that the last step of all does not see the longest alone.
    part = part * 3 % BATCHES_SORTED
    return examples[part * size : (part + 1) * size]


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


def parser_loss(parser: PromptParser, batch: ParserBatch) -> Tensor:
    """Return the summed cross-entropies of all answers."""
    logits = parser(batch.ids)
    losses = [
        functional.cross_entropy(scores, batch.questions[name])
        for name, scores in logits.questions.items()
    ]
    for scores, right in ((logits.owners, batch.owners), (logits.colours, batch.colours)):
        if bool((right != NOT_ASKED).any()):
            losses.append(functional.cross_entropy(scores.mT, right, ignore_index=NOT_ASKED))
    return torch.stack(losses).sum()
