"""Which thing of ours a noun comes nearest to: lorry, truck; beagle, dog; bungalow, house.

The table is computed, not written: for every single-word noun of WordNet's that can be seen and
touched. How near a concept is has two sides: how alike the sentence encoder finds the two, by name
and by WordNet's explanation; and whether WordNet calls the one a kind of the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import concepts

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor

    from sheepgen.training.data.sentence_encoder import SentenceEncoder
    from sheepgen.training.data.wordnet import Nouns

__all__ = ["nearest_concepts"]

LEAST = 0.45
"""Nouns that are farther than this from everything are left out."""

LEAST_OF_PEOPLE = 0.6
"""Nor may words for people, in what they mean besides, be less like a concept's name than this:
bunnies are rabbits, and soldiers no ants."""

MOST_LEVELS = 4
KIND_BONUS, KIND_BONUS_A_LEVEL, KIND_BONUS_A_SENSE = 0.35, -0.07, -0.1
"""What it counts that WordNet calls a noun a kind of a concept: less with every level between, and
less for a rarer sense of the noun."""


def nearest_concepts(
    nouns: Nouns, encoder: SentenceEncoder, said: Collection[str]
) -> dict[str, str]:
    """Return the nearest concept's name for each noun that is near one and in no caption.

    Args:
        nouns: WordNet's.
        encoder: Says how alike words are.
        said: The words of captions, whose meaning is learned from pictures.
    """
    names = list(concepts())
    homes = _homes(nouns)
    words = [
        word
        for word in nouns.of_word
        if re.fullmatch(r"[a-z]{3,}", word) and word not in said and nouns.visible_senses(word)
    ]
    nearness = _likeness(nouns, encoder, words, names, homes)
    column = {name: index for index, name in enumerate(names)}
    for row, word in enumerate(words):
        for name, bonus in _kinds(nouns, word, homes).items():
            nearness[row, column[name]] += bonus
    people = [row for row, word in enumerate(words) if word in nouns.people]
    by_name = encoder.meanings([words[row] for row in people]) @ encoder.meanings(names).T
    nearness[people] = nearness[people].where(by_name >= LEAST_OF_PEOPLE, 0.0)
    best = nearness.max(dim=1)
    return {
        word: names[index]
        for word, value, index in zip(
            words, best.values.tolist(), best.indices.tolist(), strict=True
        )
        if value >= LEAST
    }


def _homes(nouns: Nouns) -> dict[str, str]:
    """Return the concept of each sense that is one: of the first visible sense of its names."""
    homes: dict[str, str] = {}
    for concept in concepts().values():
        for word in concept.words:
            if senses := nouns.visible_senses(word):
                homes.setdefault(senses[0], concept.name)
                break
    return homes


def _likeness(
    nouns: Nouns,
    encoder: SentenceEncoder,
    words: list[str],
    names: list[str],
    homes: dict[str, str],
) -> Tensor:
    """Return how alike words and concepts are, (words, concepts): by name, explained or not."""
    sense_of = {name: sense for sense, name in homes.items()}

    def explained(word: str, sense: str | None) -> str:
        return f"{word}: {nouns.senses[sense].explained}" if sense else word

    named, defined = (
        encoder.meanings(names),
        encoder.meanings([explained(name, sense_of.get(name)) for name in names]),
    )
    plain = encoder.meanings(words)
    told = encoder.meanings([explained(word, nouns.visible_senses(word)[0]) for word in words])
    return (plain @ named.T + told @ named.T + told @ defined.T) / 3


def _kinds(nouns: Nouns, word: str, homes: dict[str, str]) -> dict[str, float]:
    """Return the concepts that a word is a kind of in WordNet, and what that counts."""
    bonuses: dict[str, float] = {}
    for order, sense in enumerate(nouns.visible_senses(word)[:2]):
        for distance, upper in nouns.above(sense, MOST_LEVELS):
            if name := homes.get(upper):
                bonus = KIND_BONUS + KIND_BONUS_A_LEVEL * distance + KIND_BONUS_A_SENSE * order
                bonuses[name] = max(bonuses.get(name, 0.0), bonus)
    return bonuses
