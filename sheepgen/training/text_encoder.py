"""Teaches the text encoder.

It is a small ``CLIPTextModel`` taught, word by word, to give what a sentence encoder gives for
that word in that sentence, reduced to its principal components, and beside it what the thing that
is named looks like. The end-of-text token and the padding behind it learn the whole sentence's
vector, and the last of the padding what its things look like, patch by patch (`teacher`). So the
geometry of meaning (sheep lies near ewe, far from motorcycle) comes along, and the folder stays
self-contained.

Words that the U-Net sees no picture of are taught to mean the thing that they come nearest to
(`phrases`).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sheepgen.training.loop import Checkpoint, TrainStep, autocast, cosine_learning_rate
from sheepgen.training.muon import build_optimizers
from sheepgen.training.phrases import Piece, meaning, sample_phrase
from sheepgen.training.slots import MARKS, SLOTS, slot_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sheepgen.training.config import TextConfig
    from sheepgen.training.phrases import Phrase
    from sheepgen.training.teacher import Teacher
    from sheepgen.training.vocabulary import Vocabulary

__all__ = [
    "build_text_encoder",
    "encode_captions",
    "teacher_sample",
    "train_text_encoder",
]

TURNS = ("captions", "labels", "vocabulary", "labels")
"""What batches are of, in turns.

By labels the drawings are learned: captions are long, and most show the house's style, which the
vocabulary means throughout. Of the first sixteen numbers of looks in captions the student explained
.62 after 2,000 steps of these two alone, and .83 after 400 further ones of short labels alone.
"""

SIZES = {"captions": 1, "labels": 4, "vocabulary": 2}
"""How many times ``batch_size`` a batch holds; short ones are cheap."""

FULL_LENGTH_SHARE = 0.1
"""How many batches are as long as prompts are. The others lack most of the padding and of the
slots, which are more than half of a prompt and all alike to learn."""

SLOTS_KEPT = 16

END_OF_WORD = "</w>"
WORDS_AT_ONCE = 256

FIRST_SHARE = 0.3
"""Of what layers would add to the embeddings before they have learned anything."""

FITTED_ON = 500
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


def teacher_sample(captions: Sequence[str], vocabulary: Vocabulary, seed: int) -> list[str]:
    """Return sentences to fit a teacher on: as many captions as phrases of the vocabulary."""
    rng = random.Random(seed)  # noqa: S311
    phrases = (sample_phrase(rng, vocabulary) for _ in range(FITTED_ON))
    return [*rng.choices(sorted(set(captions)), k=FITTED_ON), *map(meaning, phrases)]


def train_text_encoder(
    student: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    teacher: Teacher,
    captions: Sequence[str],
    labels: Sequence[str],
    vocabulary: Vocabulary,
    config: TextConfig,
    checkpoint_path: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Teach it in place, from the checkpoint if there is one; yields every step.

    Batches of captions, of labels (short captions that name drawings) and of the vocabulary take
    turns.
    """
    sentences = {"captions": sorted(set(captions)), "labels": sorted(set(labels))}
    student.to(device).train()
    optimizers = build_optimizers(student, outer=("embeddings",))
    checkpoint = Checkpoint(checkpoint_path, {"encoder": student, **optimizers})
    done = checkpoint.load()
    if not done:
        _begin_with_words(student, tokenizer, teacher, vocabulary)
    for step in range(done, config.steps):
        rng = random.Random(f"{config.seed}/{step}")  # noqa: S311
        turn = TURNS[step % len(TURNS)]
        size = config.batch_size * SIZES[turn]
        phrases: list[Phrase]
        if turn == "vocabulary":
            phrases = [sample_phrase(rng, vocabulary) for _ in range(size)]
        else:
            phrases = [[Piece(said, said)] for said in rng.choices(sentences[turn], k=size)]
        batch = teacher.batch(phrases, tokenizer)
        kept = torch.arange(config.max_tokens)
        if rng.random() > FULL_LENGTH_SHARE:
            kept = _some_positions(rng, batch.input_ids, tokenizer)
        with autocast(device):
            states = student(
                batch.input_ids[:, kept].to(device), position_ids=kept[None].to(device)
            )[0]
        error = (states.float() - batch.targets[:, kept].to(device)).square()
        weights = batch.weights[:, kept].to(device)
        loss = (error * weights).sum() / weights.sum()
        student.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = cosine_learning_rate(step, config.steps, config.learning_rate, 100)
            optimizer.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
            checkpoint.save(step + 1)
        yield TrainStep(phase="text", step=step + 1, total_steps=config.steps, loss=loss.item())
    student.eval()


@torch.no_grad()
def _begin_with_words(
    student: CLIPTextModel, tokenizer: CLIPTokenizer, teacher: Teacher, vocabulary: Vocabulary
) -> None:
    """Set the embeddings of words to what they mean alone, and those of slots' places to marks.

    With little added by the untrained layers, context is all that is left to learn, and spelling.
    """
    embeddings = student.get_input_embeddings().weight
    words = {
        token.removesuffix(END_OF_WORD): index
        for token, index in tokenizer.get_vocab().items()
        if token.endswith(END_OF_WORD) and token.removesuffix(END_OF_WORD).isalpha()
    }
    for start in range(0, len(words), WORDS_AT_ONCE):
        some = [*words][start : start + WORDS_AT_ONCE]
        phrases = [[Piece(word, vocabulary.lexicon.get(word, word))] for word in some]
        batch = teacher.batch(phrases, tokenizer)
        for word, ids, targets in zip(some, batch.input_ids, batch.targets, strict=True):
            (places,) = (ids == words[word]).nonzero(as_tuple=True)
            if len(places):
                embeddings[words[word]] = targets[places[0]]
    student.embeddings.position_embedding.weight[-SLOTS:, :MARKS] += slot_marks()
    for layer in student.encoder.layers:
        layer.self_attn.out_proj.weight *= FIRST_SHARE
        layer.mlp.fc2.weight *= FIRST_SHARE


def _some_positions(rng: random.Random, input_ids: Tensor, tokenizer: CLIPTokenizer) -> Tensor:
    """Return where the longest of the prompts is, and some of the slots."""
    length = input_ids.shape[1]
    ends = (input_ids == tokenizer.eos_token_id).int().argmax(1)
    words = range(min(int(ends.max()) + 2, length - SLOTS))
    slots = rng.sample(range(length - SLOTS, length), SLOTS_KEPT)
    return torch.tensor([*words, *sorted(slots)])


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
