"""Lessons as the text encoder's trunk reads them, and what it should answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sheepgen.training.text_encoder.attributes import COLOUR_NAMES, FACTS, facts_of
from sheepgen.training.text_encoder.conditioning_targets import slot_things
from sheepgen.training.text_encoder.memory_tokens import ALL
from sheepgen.training.text_encoder.prompt_parser import SLOT_PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import CLIPTokenizer

    from sheepgen.training.data.word_meanings import WordMeanings
    from sheepgen.training.text_encoder.prompt_dataset import Lesson
    from sheepgen.training.text_encoder.prompt_parser import TextTrunk

__all__ = ["Batch", "read_lessons"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What the trunk reads, and what it should answer.

    Args:
        ids: (prompts, tokens): words, padding up to the longest and once behind it, and a slot of
            each place.
        places: (tokens,).
        facts: (prompts, facts), 0 or 1.
        things: (prompts, slot places, things), 0 or 1.
        colours: (prompts, slot places, colours), 0 or 1.
        meanings: What words mean, (prompts, tokens, numbers).
        meant: Where that is known, (prompts, tokens).
    """

    ids: Tensor
    places: Tensor
    facts: Tensor
    things: Tensor
    colours: Tensor
    meanings: Tensor
    meant: Tensor


def read_lessons(
    trunk: TextTrunk,
    tokenizer: CLIPTokenizer,
    lessons: Sequence[Lesson],
    meanings: WordMeanings,
) -> Batch:
    """Return lessons as the trunk reads them."""
    prompts = [lesson.prompt for lesson in lessons]
    encoded = tokenizer(
        prompts, padding=True, truncation=True, max_length=trunk.words, return_tensors="pt"
    )
    ids = encoded["input_ids"]
    length = ids.shape[1]
    # One place of padding stands for all that no prompt of the batch reaches.
    further = (torch.randperm(trunk.words - length)[:1] + length).tolist()
    asking = torch.full((len(ids), len(further) + SLOT_PLACES), trunk.padding)
    at = [*range(length), *further, *range(trunk.words, trunk.words + SLOT_PLACES)]
    facts = torch.zeros(len(ids), FACTS)
    things = torch.zeros(len(ids), SLOT_PLACES, len(trunk.names))
    colours = torch.zeros(len(ids), SLOT_PLACES, len(COLOUR_NAMES))
    vectors = torch.zeros(len(ids), len(at), trunk.meaning.stop)
    meant = torch.zeros(len(ids), len(at), dtype=torch.bool)
    number = {name: index for index, name in enumerate(trunk.names)}
    for index, lesson in enumerate(lessons):
        if lesson.told:
            facts[index] = facts_of(lesson.told)
            for name, colour, part in slot_things(lesson.told):
                places = slice(None) if part == ALL else part.thing
                things[index, places, number[name]] = 1
                if colour:
                    colours[index, places, COLOUR_NAMES.index(colour)] = 1
        for word in re.finditer("[a-z]+", lesson.prompt.lower()):
            token = encoded.char_to_token(index, word.end() - 1)
            row = meanings.rows.get(word[0])
            if row is not None and token is not None:
                vectors[index, token] = meanings.vectors[row, trunk.meaning]
                meant[index, token] = True
    return Batch(
        ids=torch.cat([ids, asking], dim=1),
        places=torch.tensor(at),
        facts=facts,
        things=things,
        colours=colours,
        meanings=vectors,
        meant=meant,
    )
