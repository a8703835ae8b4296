"""What the text encoder should give: of each word what it means, and what the thing looks like.

A state's numbers are, in this order:

    mark        which of the prompt's things it is, and which of its patches; zero for other words
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

from sheepgen.training.appearance import Appearances
from sheepgen.training.data.naming import named_style, named_things
from sheepgen.training.phrases import aligned_words, meaning, wording
from sheepgen.training.reduction import Reduction, principal_components
from sheepgen.training.slots import MARK, MARKS, PATCHES, SLOTS, THINGS, slot_marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor
    from transformers import CLIPTokenizer

    from sheepgen.training.appearance import Look
    from sheepgen.training.data.drawings import Drawings
    from sheepgen.training.phrases import Phrase
    from sheepgen.training.sentence_encoder import SentenceEncoder

__all__ = ["Batch", "Teacher"]

SPARE = 8

SLOT_MARK_WEIGHT = 3.0
SLOT_MEANING_WEIGHT = 0.3
SLOT_LOOK_WEIGHT = 9.0
"""How much a number of a slot counts, where one of a word counts 1.

What a thing means its word says already. With 0.5 for all of a slot, the student explained .73 of
the first sixteen numbers of captions' looks when the learning rate had fallen to zero; after 210
further steps of labels with these, .83.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the student reads, and what it should give.

    Args:
        input_ids: (batch, tokens).
        targets: (batch, tokens, hidden).
        weights: (batch, tokens, hidden), how much they count.
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
        ends = (ids == tokenizer.eos_token_id).int().argmax(1).tolist()
        targets = torch.zeros(*ids.shape, self.width)
        weights = torch.zeros(targets.shape)
        understood = self._understand([meaning(phrase) for phrase in phrases])
        for row, sentence in enumerate(understood):
            read = _read_words(phrases[row], encoded.word_ids(row))
            self._write(sentence, read, ends[row], targets[row], weights[row])
        return Batch(ids, targets, weights)

    def _understand(self, sentences: Sequence[str]) -> Iterator[_Sentence]:
        words, wholes = self.encoder.words_and_wholes(sentences)
        for said, vectors, whole in zip(sentences, words, self.of_wholes(wholes), strict=True):
            style = named_style(said)
            looks = {
                thing.at: self.appearances.look(style, thing.name, thing.colour)
                for thing in named_things(said)
            }
            yield _Sentence(self.of_words(vectors), whole, looks)

    def _write(
        self, sentence: _Sentence, read: dict[int, int], end: int, states: Tensor, weights: Tensor
    ) -> None:
        """Write one prompt's states, (tokens, width), and how much they count, of that shape too.

        Args:
            sentence: What it means.
            read: Which token ends which word of the sentence.
            end: The token behind the last word.
            states: All zero.
            weights: All zero.
        """
        first_slot = len(states) - SLOTS
        # What is too long takes slots' places.
        padding = slice(end, max(end + 1, first_slot))
        shown = [word for word in read.values() if word in sentence.looks]

        self._write_slots(sentence, shown, states[first_slot:])
        states[first_slot : padding.stop] = 0.0
        self._write_words(sentence, shown, read, states)
        states[padding, self._meanings] = sentence.whole
        for word in shown:
            states[padding, self._looks] += sentence.looks[word].whole

        weights[padding.stop :] = SLOT_MARK_WEIGHT
        weights[padding.stop :, self._meanings] = SLOT_MEANING_WEIGHT
        weights[padding.stop :, self._looks] = SLOT_LOOK_WEIGHT
        weights[[*read]] = 1.0
        weights[padding] = 1.0 / (padding.stop - end)
        weights[end] += 1.0

    def _write_slots(self, sentence: _Sentence, shown: Sequence[int], states: Tensor) -> None:
        marks = slot_marks().view(THINGS, PATCHES, MARKS)
        slots = states.view(THINGS, PATCHES, self.width)
        for slot, mark, word in zip(slots, marks, shown, strict=False):
            slot[:, :MARKS] = mark
            slot[:, self._meanings] = sentence.words[word]
            slot[:, self._looks] = sentence.looks[word].patches

    def _write_words(
        self, sentence: _Sentence, shown: Sequence[int], read: dict[int, int], states: Tensor
    ) -> None:
        for token, word in read.items():
            states[token, self._meanings] = sentence.words[word]
            if word in shown:
                states[token, self._looks] = sentence.looks[word].whole
            if word in shown[:THINGS]:
                states[token, shown.index(word)] = MARK

    @property
    def _meanings(self) -> slice:
        return slice(MARKS, MARKS + self.of_words.directions.shape[1])

    @property
    def _looks(self) -> slice:
        return slice(self._meanings.stop, self.width - SPARE)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """What a sentence means.

    Args:
        words: Word by word, (words, numbers).
        whole: As a whole, (numbers,).
        looks: What those of its words show that name things.
    """

    words: Tensor
    whole: Tensor
    looks: dict[int, Look]


def _read_words(phrase: Phrase, owners: Sequence[int | None]) -> dict[int, int]:
    """Return which token ends which word of what is meant; none of what was cut off.

    Args:
        phrase: What is said and meant.
        owners: The word of what is said that each token belongs to.
    """
    # A causal encoder knows a whole word only at its last piece.
    last_piece = {owner: token for token, owner in enumerate(owners) if owner is not None}
    return {last_piece[said]: meant for said, meant in aligned_words(phrase) if said in last_piece}
