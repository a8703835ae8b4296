"""Samples concepts by their roles, and unknown words, and writes them as nouns.

The prompt parser never sees names of concepts, so any concept of a role stands for all of them.
Unknown words look alike to it, too, so a few stand for all.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.embedded.noun_phrases import PART
from sheepgen.embedded.prompt import read_words
from sheepgen.training.data.words import NUMBERS, article
from sheepgen.training.text_encoder.prompt_phrases import (
    COLOUR_WORDS,
    NUMBER_WORDS,
    UNKNOWN_WORDS,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from sheepgen.embedded.vocabulary import NamedConcept, Vocabulary

__all__ = ["RELATED", "NounPhrase", "WordSampler", "concepts_by_role", "unknown_words"]

RELATED = {"hat", "glasses", "held", "ridden", "base"}
"""The roles of a second concept that relate it to the first."""


def concepts_by_role(vocabulary: Vocabulary) -> Mapping[str, Sequence[NamedConcept]]:
    """Return the concepts that have each role; all have "any", and some none of `RELATED`."""
    by_role: dict[str, list[NamedConcept]] = defaultdict(list)
    for concept in vocabulary.concepts.values():
        if PART in concept.roles:
            # After "with" the parser would not see it.
            continue
        for role in ("any", *sorted(concept.roles)):
            by_role[role].append(concept)
        if not concept.roles & RELATED:
            by_role["unrelated"].append(concept)
    return by_role


def unknown_words(vocabulary: Vocabulary) -> Mapping[str, Sequence[str]]:
    """Return the adjectives, nouns and verbs that a vocabulary does not hold."""
    return {
        sort: tuple(word for word in words if read_words(word, vocabulary).unknown)
        for sort, words in UNKNOWN_WORDS.items()
    }


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """A concept as a prompt names it.

    Args:
        text: With article or number, adjectives and the like.
        concept: Its name.
        colour: The colour that is asked for, or empty.
    """

    text: str
    concept: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class WordSampler:
    """The words of one prompt.

    Args:
        rng: The source of randomness.
        by_role: What `concepts_by_role` returned.
        unknown: What `unknown_words` returned.
    """

    rng: random.Random
    by_role: Mapping[str, Sequence[NamedConcept]]
    unknown: Mapping[str, Sequence[str]]

    def happens(self, rate: float) -> bool:
        """Return True at this rate."""
        return self.rng.random() < rate

    def choose(self, choices: Sequence[str]) -> str:
        """Return one of some choices."""
        return self.rng.choice(choices)

    def mostly_first(self, choices: Sequence[str]) -> str:
        """Return one of some choices, the first more often."""
        return choices[0] if self.happens(0.3) else self.choose(choices)

    def colour_word(self) -> str:
        """Return a key of `COLOUR_WORDS`."""
        return self.choose([*COLOUR_WORDS])

    def unknown_word(self, sort: str) -> str:
        """Return an unknown "adjective", "noun" or "verb"."""
        return self.choose(self.unknown[sort])

    def unknown_noun(self) -> str:
        """Return unknown words, with article or number."""
        words = " ".join(
            self.unknown_word(self.choose(("adjective", "noun", "verb")))
            for _ in range(self.rng.choice((1, 1, 2, 3)))
        )
        colour = f"{self.colour_word()} " if self.happens(0.15) else ""
        if self.happens(0.1):
            determiner = f"{self.choose((*NUMBER_WORDS[2:], *'23456789'))} "
        else:
            determiner = self.choose(("", "a ", "the "))
        return f"{determiner}{colour}{words}"

    def concept(self, role: str, *others: NamedConcept) -> NamedConcept | None:
        """Return a concept with a role that is not one of the others, or None if there is none."""
        fitting = [each for each in self.by_role.get(role, ()) if each not in others]
        return self.rng.choice(fitting) if fitting else None

    def noun(self, concept: NamedConcept, *, count: int = 1) -> NounPhrase:
        """Write one of a concept, two to nine, or the plural alone if the count is 0."""
        colour, before, after = self._colour(plural=count != 1)
        before = self._adjectives(before)
        if self.happens(0.06):
            after += f" {self.unknown_word('verb')}"
        elif self.happens(0.06):
            form = self.choose((" of {0}", " with a {0}", " with {0}", " for {0}"))
            colour_word = f"{self.colour_word()} " if self.happens(0.3) else ""
            after += form.format(f"{colour_word}{self.unknown_word('noun')}")
        phrase = f"{before}{concept.plural if count != 1 else concept.name}{after}"
        if count > 1:
            number = self.choose((str(count), NUMBERS[count], NUMBERS[count]))
            phrase = f"{number} {phrase}"
        elif count == 1:
            indefinite = article(phrase)
            several = (indefinite, indefinite, indefinite, "the", "one", "my", "", "this")
            phrase = f"{self.choose(several)} {phrase}".strip()
        return NounPhrase(phrase, concept.name, colour)

    def _colour(self, *, plural: bool) -> tuple[str, str, str]:
        """Return a colour, and what is written of it before and after a noun; mostly nothing."""
        if not self.happens(0.3):
            return "", "", ""
        word = self.colour_word()
        forms = (*[f"{word} "] * 6, f"dark {word} ", f"bright {word} ", f"{word} colored ")
        before, after = self.choose(forms), ""
        if self.happens(0.12):
            verb = "are" if plural else "is"
            before = ""
            after = self.choose((f" that {verb} {word}", f" in {word}", f" colored {word}"))
        elif self.happens(0.06):
            before = f"{word} and {self.colour_word()} "
        return COLOUR_WORDS[word], before, after

    def _adjectives(self, before: str) -> str:
        """Return what is before a noun, with up to two adjectives."""
        for _ in range(self.rng.choice((0, 0, 0, 0, 1, 1, 2))):
            adjective = self.unknown_word("adjective")
            separator = ", " if before and self.happens(0.2) else " "
            if self.happens(0.7):
                before = f"{adjective}{separator}{before}"
            else:
                before = f"{before}{adjective} "
        return before
