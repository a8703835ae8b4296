"""What the text encoder should give: of each word what it means, and what the thing looks like.

Meaning is a sentence encoder's vector, reduced to some of the text encoder's width; the rest is
the thing's appearance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.training.appearance import Appearances
from sheepgen.training.phrases import aligned_words, meaning, wording
from sheepgen.training.reduction import Reduction, principal_components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import CLIPTokenizer

    from sheepgen.training.phrases import Phrase
    from sheepgen.training.sentence_encoder import SentenceEncoder

__all__ = ["Batch", "Teacher"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What the student reads, and what it should give.

    Args:
        input_ids: (batch, tokens).
        targets: (batch, tokens, hidden): the meaning, then the appearance.
        weights: (batch, tokens), how much they count.
    """

    input_ids: Tensor
    targets: Tensor
    weights: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Teacher:
    """A sentence encoder, reduced to a part of the student's width, and what things look like.

    Args:
        encoder: The sentence encoder.
        of_words: For the vectors of single words.
        of_wholes: For those of whole sentences.
        appearances: For the words that name things.
    """

    encoder: SentenceEncoder
    of_words: Reduction
    of_wholes: Reduction
    appearances: Appearances

    @classmethod
    def fitted(
        cls,
        encoder: SentenceEncoder,
        appearances: Appearances,
        sentences: Sequence[str],
        width: int,
    ) -> Teacher:
        """Return a teacher for students of a width, fitted on a sample of sentences."""
        words, wholes = encoder.words_and_wholes(sentences)
        meaning_width = width - appearances.width
        return cls(
            encoder=encoder,
            of_words=principal_components(torch.cat(words), meaning_width),
            of_wholes=principal_components(wholes, meaning_width),
            appearances=appearances,
        )

    @classmethod
    def restored(cls, encoder: SentenceEncoder, state: dict[str, Any]) -> Teacher:
        """Return the teacher that `state` describes."""
        return cls(
            encoder=encoder,
            of_words=Reduction(*state["words"]),
            of_wholes=Reduction(*state["wholes"]),
            appearances=Appearances(state["appearances"]),
        )

    def state(self) -> dict[str, Any]:
        """Return all but the sentence encoder, as tensors."""
        return {
            "words": (*self.of_words,),
            "wholes": (*self.of_wholes,),
            "appearances": dict(self.appearances.codes),
        }

    def batch(
        self, phrases: Sequence[Phrase], tokenizer: CLIPTokenizer, *, padding: str = "max_length"
    ) -> Batch:
        """Return the student's token ids and what its states there should be.

        Args:
            phrases: What the student reads, and what it should understand.
            tokenizer: The student's.
            padding: "max_length", or "longest" for short phrases.
        """
        encoded = tokenizer(
            [wording(phrase) for phrase in phrases],
            is_split_into_words=True,
            padding=padding,
            truncation=True,
            return_tensors="pt",
        )
        ids = encoded["input_ids"]
        sentences = [meaning(phrase) for phrase in phrases]
        words, wholes = self.encoder.words_and_wholes(sentences)
        wholes = self.of_wholes(wholes)
        meaning_width = wholes.shape[1]
        targets = torch.zeros(*ids.shape, meaning_width + self.appearances.width)
        weights = torch.zeros(ids.shape)
        for row, vectors in enumerate(words):
            reduced = self.of_words(vectors)
            shown = self.appearances.shown(sentences[row])
            read: list[Tensor] = []  # What was cut off is not.
            owners = encoded.word_ids(row)
            # The causal encoder knows a whole word only at its last piece.
            last_piece = {owner: at for at, owner in enumerate(owners) if owner is not None}
            for said_word, meant_word in aligned_words(phrases[row]):
                if said_word in last_piece:
                    at = last_piece[said_word]
                    weights[row, at] = 1.0
                    targets[row, at, :meaning_width] = reduced[meant_word]
                    if meant_word in shown:
                        targets[row, at, meaning_width:] = shown[meant_word]
                        read.append(shown[meant_word])
            start = int((ids[row] == tokenizer.eos_token_id).int().argmax())
            targets[row, start:, :meaning_width] = wholes[row]
            if read:
                targets[row, start:, meaning_width:] = torch.stack(read).sum(0)
            weights[row, start:] = 2.0 / (len(owners) - start)
        return Batch(ids, targets, weights)
