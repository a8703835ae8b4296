"""Learns the tokenizer: a byte-level BPE in CLIP's layout, from captions and a wide vocabulary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from sheepgen.training.text_encoder.memory_tokens import SLOTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sheepgen.training.config import TextConfig

__all__ = ["build_tokenizer", "load_tokenizer"]

BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def build_tokenizer(
    captions: Sequence[str], words: Sequence[str], config: TextConfig
) -> CLIPTokenizer:
    """Learn a byte-pair vocabulary; every byte stays encodable, inside and at the end of a word."""
    layout = CLIPTokenizer()
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = layout.backend_tokenizer.normalizer
    learner.pre_tokenizer = layout.backend_tokenizer.pre_tokenizer
    alphabet = sorted(ByteLevel.alphabet())
    room = len(alphabet) + 2
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size - room,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator([*captions, *words, *words], trainer)
    learned = json.loads(learner.to_str())["model"]
    tokens = sorted(learned["vocab"], key=learned["vocab"].__getitem__)
    tokens += [f"{letter}</w>" for letter in alphabet if f"{letter}</w>" not in learned["vocab"]]
    tokens += [BEGIN, END]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[tuple(merge) for merge in learned["merges"]],
        model_max_length=config.words + SLOTS,
    )


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """Return the tokenizer that was saved in ``folder``."""
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer
