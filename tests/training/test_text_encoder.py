"""The tokenizer encodes everything, and the teacher's targets stand where the student can know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.training.config import TextConfig
from sheepgen.training.text_encoder import (
    Teacher,
    build_text_encoder,
    encode_captions,
    train_text_encoder,
)
from sheepgen.training.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTokenizer

CONFIG = TextConfig(
    vocab_size=700, max_tokens=12, hidden_size=32, layers=1, heads=2, steps=30, batch_size=8
)
CAPTIONS = [f"a {thing} {where}" for thing in ("sheep", "cat") for where in ("at night", "riding")]
WORDS = ["motorcycle", "lamb", "kitten", "red apple"]


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    """Return a tokenizer learned from a few captions."""
    return build_tokenizer(CAPTIONS * 10, WORDS * 10, CONFIG)


@pytest.mark.parametrize("text", ["a sheep at night", "Déjà-vu 東京 🐑!", "q", "x" * 40])
def test_every_text_can_be_encoded_and_read_back(tokenizer: CLIPTokenizer, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in ids[1:-1]
    read = tokenizer.decode(ids, skip_special_tokens=True)
    assert read.replace(" ", "") == text.lower().replace(" ", "")


def test_frequent_words_are_one_token(tokenizer: CLIPTokenizer) -> None:
    assert len(tokenizer("a sheep at night")["input_ids"]) == 4 + 2


def test_targets_stand_on_last_pieces_and_behind_the_end(tokenizer: CLIPTokenizer) -> None:
    sentences = [*CAPTIONS, *WORDS, "a cat", "a lamb", "two sheep", "a motorcycle at night"] * 4
    teacher = Teacher(sentences, CONFIG.hidden_size)
    batch = teacher.batch(["a motorcycle at night"], tokenizer)
    pieces = tokenizer.convert_ids_to_tokens(batch.input_ids[0])
    end = pieces.index("<|endoftext|>")
    marked = [index for index in range(end) if batch.weights[0, index] > 0]
    assert [pieces[index].endswith("</w>") for index in marked] == [True] * 4
    assert batch.weights[0, 0] == 0
    assert batch.weights[0, end:].sum().item() == pytest.approx(2.0)
    assert torch.equal(batch.targets[0, end], batch.targets[0, -1])


def test_distilling_brings_the_student_nearer(tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    config = replace(CONFIG, learning_rate=3e-3)
    encoder = build_text_encoder(tokenizer, config)
    path = tmp_path / "text.pt"
    training = train_text_encoder(
        encoder, tokenizer, CAPTIONS, WORDS, config, path, torch.device("cpu")
    )
    losses = [report.loss for report in training]
    assert len(losses) == config.steps
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    states = encode_captions(encoder, tokenizer, CAPTIONS, torch.device("cpu"))
    assert states.shape == (len(CAPTIONS), config.max_tokens, config.hidden_size)
    assert states.dtype == torch.float16
