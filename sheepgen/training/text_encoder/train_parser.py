"""Trains the text encoder's trunk, and reads prompts with the whole.

What a prompt tells is known of all lessons (`sheepgen.training.text_encoder.prompt_dataset`), and
what words mean of the words. Tokens that are whole words begin as what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.training.muon import muon_and_adamw
from sheepgen.training.text_encoder.collate import read_lessons
from sheepgen.training.text_encoder.prompt_parser import SLOT_PLACES, TextTrunk
from sheepgen.training.trainer import Trainer, TrainerSettings, TrainStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import CLIPTokenizer, PreTrainedModel, PreTrainedTokenizerBase

    from sheepgen.training.config import TextConfig
    from sheepgen.training.data.word_meanings import WordMeanings
    from sheepgen.training.text_encoder.collate import Batch
    from sheepgen.training.text_encoder.prompt_dataset import Lessons

__all__ = ["build_trunk", "encode_captions", "train_trunk", "trunk_loss"]

MEANING_WEIGHT = 1.0
"""Of the mean squared error of what words mean, beside the answers' summed cross-entropies."""

AT_ONCE = 64
SAVE_EVERY = 100
WARMUP_STEPS = 50
END_OF_WORD = "</w>"


def build_trunk(
    tokenizer: CLIPTokenizer,
    names: Sequence[str],
    meanings: WordMeanings | None,
    config: TextConfig,
) -> TextTrunk:
    """Return an untrained trunk.

    Args:
        tokenizer: What it reads.
        names: The concepts that it is to know.
        meanings: What its words begin as, of its width; None if they are to be loaded anyway.
        config: Its sizes.
    """
    torch.manual_seed(config.seed)
    trunk = TextTrunk(
        names,
        vocabulary=len(tokenizer),
        padding=tokenizer.pad_token_id,
        words=config.words,
        width=config.width,
        layers=config.layers,
        heads=config.heads,
        hidden=4 * config.width,
    )
    if meanings:
        with torch.no_grad():
            for token, index in tokenizer.get_vocab().items():
                row = meanings.rows.get(token.removesuffix(END_OF_WORD))
                if row is not None and token.endswith(END_OF_WORD):
                    trunk.tokens.weight[index] = meanings.vectors[row]
    return trunk


def train_trunk(
    trunk: TextTrunk,
    tokenizer: CLIPTokenizer,
    lessons: Lessons,
    meanings: WordMeanings,
    config: TextConfig,
    checkpoint: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Teach it in place, from the checkpoint if there is one; yields every step."""
    trunk.to(device)
    settings = TrainerSettings(
        stage="text",
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup_steps=WARMUP_STEPS,
        save_every=SAVE_EVERY,
    )
    optimizers = muon_and_adamw(trunk, outer=("tokens", "places", "answers"))
    trainer = Trainer(trunk, optimizers, settings, checkpoint)
    for step in trainer.remaining_steps():
        first = step * config.batch_size
        taught = [lessons[index] for index in range(first, first + config.batch_size)]
        # Short prompts together have little padding.
        taught.sort(key=lambda lesson: len(lesson.prompt))
        losses = []
        for start in range(0, len(taught), AT_ONCE):
            batch = read_lessons(trunk, tokenizer, taught[start : start + AT_ONCE], meanings)
            losses.append(trunk_loss(trunk, batch, device) * (len(batch.ids) / len(taught)))
        yield trainer.update(torch.stack(losses).sum())
    trunk.eval()


def trunk_loss(trunk: TextTrunk, batch: Batch, device: torch.device) -> Tensor:
    """Return how far the trunk is from knowing what it should."""
    ids = batch.ids.to(device)
    states = trunk(ids, batch.places.to(device))
    answers = trunk.answer(states)
    at_slots = answers[:, -SLOT_PLACES:]
    asked = ids == trunk.padding
    facts = batch.facts.to(device)[:, None].expand(-1, ids.shape[1], -1)
    meant = batch.meant.to(device)
    error = (states[..., trunk.meaning] - batch.meanings.to(device)).square().mean(-1)
    loss: Tensor = MEANING_WEIGHT * (error * meant).sum() / meant.sum().clamp(min=1)
    loss = loss + _doubt(answers[..., trunk.facts][asked], facts[asked])
    loss = loss + _doubt(at_slots[..., trunk.things], batch.things.to(device))
    return loss + _doubt(at_slots[..., trunk.colours], batch.colours.to(device))


def _doubt(answers: Tensor, right: Tensor) -> Tensor:
    """Return the cross-entropy of log odds, summed over questions, averaged over all else."""
    doubt = functional.binary_cross_entropy_with_logits(answers, right, reduction="none")
    return doubt.sum(-1).mean()


@torch.inference_mode()
def encode_captions(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    captions: Sequence[str],
    device: torch.device,
    batch: int = 16,
) -> Tensor:
    """Return the states of each caption, (captions, tokens, hidden), float16 on the CPU."""
    encoder.to(device).eval()
    states = []
    for start in range(0, len(captions), batch):
        ids = tokenizer(
            list(captions[start : start + batch]),
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        )["input_ids"]
        states.append(encoder(ids.to(device))[0].to("cpu", torch.float16))
    return torch.cat(states)
