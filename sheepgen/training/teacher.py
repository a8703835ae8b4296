"""What the text encoder should give: of each word what it means, and what the thing looks like.

A state's numbers are, in this order:

    slot        where in the prompt and in the drawing a look belongs; zero for words
    meaning     a sentence encoder's vector, reduced to what width is left
    look        of a word the whole drawing's code, of a slot its patch's
    spare       always zero: the last layer norm fixes a state's length, and here is what is over

States, too, are in an order: the prompt's tokens; the padding, which knows the whole sentence; and
at the end the slots, patch by patch what the first things that the prompt names look like. To the
text encoder they are padding as well, but at places of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.training.appearance import GRID, Appearances
from sheepgen.training.data.naming import named_style, named_things
from sheepgen.training.phrases import aligned_words, meaning, wording
from sheepgen.training.reduction import Reduction, principal_components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import CLIPTokenizer

    from sheepgen.training.data.drawings import Drawings
    from sheepgen.training.phrases import Phrase
    from sheepgen.training.sentence_encoder import SentenceEncoder

__all__ = ["MARKS", "SLOTS", "Batch", "Teacher", "slot_marks"]

THINGS = 2
"""How many of a prompt's things have slots."""

PATCHES = GRID * GRID

SLOTS = THINGS * PATCHES
"""The last tokens of every prompt."""

MARKS = THINGS + GRID + GRID
"""Numbers that mark a slot: one says whose it is, one the patch's row, one its column."""

MARK = 3.0

SPARE = 8

SLOT_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """What the student reads, and what it should give.

    Args:
        input_ids: (batch, tokens).
        targets: (batch, tokens, hidden).
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
        meaning_width = width - MARKS - SPARE - appearances.width
        return cls(
            encoder=encoder,
            of_words=principal_components(torch.cat(words), meaning_width),
            of_wholes=principal_components(wholes, meaning_width),
            appearances=appearances,
        )

    @classmethod
    def restored(
        cls, encoder: SentenceEncoder, drawings: Drawings, state: dict[str, Any]
    ) -> Teacher:
        """Return the teacher that `state` describes."""
        return cls(
            encoder=encoder,
            of_words=Reduction(*state["words"]),
            of_wholes=Reduction(*state["wholes"]),
            appearances=Appearances(
                drawings, Reduction(*state["looks"]), Reduction(*state["patches"])
            ),
        )

    def state(self) -> dict[str, Any]:
        """Return all but the sentence encoder and the drawings, as tensors."""
        return {
            "words": (*self.of_words,),
            "wholes": (*self.of_wholes,),
            "looks": (*self.appearances.of_wholes,),
            "patches": (*self.appearances.of_patches,),
        }

    @property
    def width(self) -> int:
        """Numbers of a state."""
        return MARKS + self.of_words.directions.shape[1] + self.appearances.width + SPARE

    def batch(self, phrases: Sequence[Phrase], tokenizer: CLIPTokenizer) -> Batch:
        """Return the student's token ids, padded, and what its states there should be.

        Args:
            phrases: What the student reads, and what it should understand.
            tokenizer: The student's.
        """
        encoded = tokenizer(
            [wording(phrase) for phrase in phrases],
            is_split_into_words=True,
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        )
        ids = encoded["input_ids"]
        sentences = [meaning(phrase) for phrase in phrases]
        words, wholes = self.encoder.words_and_wholes(sentences)
        wholes = self.of_wholes(wholes)
        targets = torch.zeros(*ids.shape, self.width)
        weights = torch.zeros(ids.shape)
        meanings = slice(MARKS, MARKS + wholes.shape[1])
        looks = slice(meanings.stop, self.width - SPARE)
        first_slot = ids.shape[1] - SLOTS
        for row, vectors in enumerate(words):
            state, weight = targets[row], weights[row]
            reduced, sentence = self.of_words(vectors), sentences[row]
            named = {
                thing.at: self.appearances.look(named_style(sentence), thing.name, thing.colour)
                for thing in named_things(sentence)
            }
            owners = encoded.word_ids(row)
            # The causal encoder knows a whole word only at its last piece.
            last_piece = {owner: at for at, owner in enumerate(owners) if owner is not None}
            known = {  # What was cut off is not.
                last_piece[said]: meant
                for said, meant in aligned_words(phrases[row])
                if said in last_piece
            }
            shown = [meant for meant in known.values() if meant in named]
            slots = state[first_slot:].view(THINGS, PATCHES, -1)
            marks = slot_marks().view(THINGS, PATCHES, -1)
            for slot, mark, meant in zip(slots, marks, shown, strict=False):
                slot[:, :MARKS] = mark
                slot[:, meanings] = reduced[meant]
                slot[:, looks] = named[meant].patches
            weight[first_slot:] = SLOT_WEIGHT
            # A prompt that is too long takes slots' places.
            end = int((ids[row] == tokenizer.eos_token_id).int().argmax())
            state[:end], weight[:end] = 0.0, 0.0
            for at, meant in known.items():
                weight[at] = 1.0
                state[at, meanings] = reduced[meant]
                if meant in named:
                    state[at, looks] = named[meant].whole
            padding = slice(end, max(end + 1, first_slot))
            state[padding] = 0.0
            state[padding, meanings] = wholes[row]
            for meant in shown:
                state[padding, looks] += named[meant].whole
            weight[padding] = 1.0 / (padding.stop - end)
            weight[end] += 1.0
        return Batch(ids, targets, weights)


def slot_marks() -> Tensor:
    """Return how slots are marked, (`SLOTS`, `MARKS`)."""
    thing, row, column = torch.meshgrid(
        torch.arange(THINGS), torch.arange(GRID), torch.arange(GRID), indexing="ij"
    )
    one_hot = torch.nn.functional.one_hot
    marks = torch.cat([one_hot(thing, THINGS), one_hot(row, GRID), one_hot(column, GRID)], -1)
    return MARK * marks.flatten(0, 2)
