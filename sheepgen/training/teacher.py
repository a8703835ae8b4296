"""What the text encoder should give: a sentence encoder's vectors, reduced to its width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from sheepgen.training.phrases import aligned_words, meaning, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import CLIPTokenizer

    from sheepgen.training.phrases import Phrase
    from sheepgen.training.sentence_encoder import SentenceEncoder

__all__ = ["Batch", "Reduction", "Teacher", "principal_components"]


@dataclass(frozen=True, slots=True)
class Batch:
    """``targets`` (batch, tokens, hidden) counts where ``weights`` (batch, tokens) is not 0."""

    input_ids: Tensor
    targets: Tensor
    weights: Tensor


class Reduction(NamedTuple):
    """A projection on the directions along which vectors differ most.

    Args:
        mean: To subtract, (width,).
        directions: To project on, (width, components).
    """

    mean: Tensor
    directions: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return the vectors reduced, (vectors, components)."""
        return (vectors - self.mean) @ self.directions


def principal_components(vectors: Tensor, count: int) -> Reduction:
    """Fit a projection whose outputs have unit variance on average over the components."""
    mean = vectors.mean(0)
    _, spread, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
    scale = (spread[:count].square().mean() / len(vectors)).sqrt()
    return Reduction(mean, directions[:count].T / scale)


@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """A sentence encoder, and how its vectors are reduced to the student's width.

    Args:
        encoder: The sentence encoder.
        of_words: For the vectors of single words.
        of_wholes: For those of whole sentences.
    """

    encoder: SentenceEncoder
    of_words: Reduction
    of_wholes: Reduction

    @classmethod
    def fitted(cls, encoder: SentenceEncoder, sentences: Sequence[str], width: int) -> Teacher:
        """Return a teacher for students of a width, fitted on a sample of sentences."""
        words, wholes = encoder.words_and_wholes(sentences)
        return cls(
            encoder=encoder,
            of_words=principal_components(torch.cat(words), width),
            of_wholes=principal_components(wholes, width),
        )

    def batch(
        self, phrases: Sequence[Phrase], student: CLIPTokenizer, *, padding: str = "max_length"
    ) -> Batch:
        """Return the student's token ids and what its states there should be.

        Args:
            phrases: What the student reads, and what it should understand.
            student: Its tokenizer.
            padding: "max_length", or "longest" for short phrases.
        """
        encoded = student(
            [wording(phrase) for phrase in phrases],
            is_split_into_words=True,
            padding=padding,
            truncation=True,
            return_tensors="pt",
        )
        ids = encoded["input_ids"]
        words, wholes = self.encoder.words_and_wholes([meaning(phrase) for phrase in phrases])
        wholes = self.of_wholes(wholes)
        targets = torch.zeros(*ids.shape, wholes.shape[1])
        weights = torch.zeros(ids.shape)
        for row, vectors in enumerate(words):
            reduced = self.of_words(vectors)
            owners = encoded.word_ids(row)
            # The causal encoder knows a whole word only at its last piece.
            last_piece = {owner: at for at, owner in enumerate(owners) if owner is not None}
            for said_word, meant_word in aligned_words(phrases[row]):
                if said_word in last_piece:
                    at = last_piece[said_word]
                    targets[row, at], weights[row, at] = reduced[meant_word], 1.0
            start = int((ids[row] == student.eos_token_id).int().argmax())
            targets[row, start:] = wholes[row]
            weights[row, start:] = 2.0 / (len(owners) - start)
        return Batch(ids, targets, weights)
