"""Prompts without end as people type them, each with what the prompt parser is to answer.

Concepts are sampled by their roles, not by their names, which the parser never sees. Words that
nothing is known of all look alike to it, too, so a few stand for all.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sheepgen.embedded.noun_phrases import PART
from sheepgen.embedded.prompt import read_words
from sheepgen.training.data.words import NUMBERS, article
from sheepgen.training.text_encoder.prompt_phrases import (
    BACKGROUND_PHRASES,
    COLOUR_WORDS,
    DIGIT_PHRASES,
    NUMBER_WORDS,
    QUANTITIES,
    RELATION_PHRASES,
    REVERSED_PHRASES,
    SETTING_PHRASES,
    SETTING_WORDS,
    STYLE_PHRASES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.embedded.vocabulary import NamedConcept, Vocabulary

__all__ = ["PromptDataset", "PromptExample"]

SHARES = {
    "relation": 0.42,
    "single": 0.24,
    "several": 0.12,
    "digits": 0.05,
    "nothing": 0.08,
    "three": 0.09,
}
"""How many prompts are of which sort."""

UNKNOWN: Mapping[str, tuple[str, ...]] = {
    "adjective": ("happy", "sad", "little", "old", "fluffy", "angry", "cute", "huge", "brave"),
    "noun": ("freedom", "thought", "reason", "theory", "amount", "policy", "method", "purpose"),
    "verb": ("eating", "reading", "chasing", "dreaming", "kicking", "watching", "thinking"),
}
"""Words that are not in the vocabulary; the parser sees them all alike."""

_RELATED = {"hat", "glasses", "held", "ridden", "base"}
"""The roles of a second concept that relate it to the first."""

LEAD_INS = ("a picture of", "draw me", "i want", "please draw", "show me", "there is", "imagine")
TRIMMINGS = ("highly detailed", "masterpiece", "8k", "please", "digital art", "beautiful")


@dataclass(kw_only=True)
class PromptExample:
    """A prompt and the right answers.

    Args:
        prompt: The text.
        answers: To the parser's questions; those left out are to be empty.
        first: The concept that the scene's first is; empty if there is none.
        second: The same of its second.
        colours: Concept -> the colour that the prompt gives it.
    """

    prompt: str
    answers: dict[str, str] = field(default_factory=dict)
    first: str = ""
    second: str = ""
    colours: dict[str, str] = field(default_factory=dict)


class PromptDataset:
    """An endless series of examples.

    Args:
        seed: Another seed gives others.
        vocabulary: What names and other words mean.
        styles: That may be named.
    """

    def __init__(self, seed: int, vocabulary: Vocabulary, styles: Sequence[str]) -> None:
        self._seed = seed
        self._styles = tuple(styles)
        self._by_role: dict[str, list[NamedConcept]] = defaultdict(list)
        for concept in vocabulary.concepts.values():
            if PART in concept.roles:
                # After "with" the parser would not see it.
                continue
            for role in ("any", *sorted(concept.roles)):
                self._by_role[role].append(concept)
            if not concept.roles & _RELATED:
                self._by_role["unrelated"].append(concept)
        self._unknown = {
            sort: tuple(word for word in words if read_words(word, vocabulary).unknown)
            for sort, words in UNKNOWN.items()
        }

    def __getitem__(self, index: int) -> PromptExample:
        """Return example ``index``, 0 or more; always the same."""
        rng = random.Random(f"{self._seed}/prompts/{index}")  # noqa: S311
        return _Writer(rng, self._by_role, self._unknown, self._styles).example()


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one example."""

    rng: random.Random
    by_role: Mapping[str, Sequence[NamedConcept]]
    unknown: Mapping[str, Sequence[str]]
    styles: Sequence[str]

    def example(self) -> PromptExample:
        (sort,) = self.rng.choices([*SHARES], [*SHARES.values()])
        match sort:
            case "relation":
                example = self.relation()
            case "single":
                example = self.single()
            case "several":
                example = self.several()
            case "digits":
                example = self.digits()
            case "three":
                example = self.three()
            case _:
                example = PromptExample(prompt=self.unknown_noun() if self.chance(0.4) else "")
        if sort != "digits":
            self.add_surroundings(example)
        self.add_style(example)
        self.finish(example)
        return example

    def chance(self, rate: float) -> bool:
        return self.rng.random() < rate

    def word(self, sort: str) -> str:
        """Return a word that nothing is known of."""
        return self.rng.choice(self.unknown[sort])

    def mostly_first(self, choices: Sequence[str]) -> str:
        return choices[0] if self.chance(0.3) else self.rng.choice(choices)

    def concept(self, role: str, *others: NamedConcept) -> NamedConcept | None:
        """Return a concept with a role that is not one of the others, or None if there is none."""
        fitting = [each for each in self.by_role.get(role, ()) if each not in others]
        return self.rng.choice(fitting) if fitting else None

    def noun(self, example: PromptExample, concept: NamedConcept, *, count: int = 1) -> str:
        """Write a concept with article or number, adjectives and colour."""
        name = concept.plural if count != 1 else concept.name
        before, behind = "", ""
        if self.chance(0.3):
            word = self.rng.choice([*COLOUR_WORDS])
            example.colours[concept.name] = COLOUR_WORDS[word]
            forms = [*[f"{word} "] * 6, f"dark {word} ", f"bright {word} ", f"{word} colored "]
            before = self.rng.choice(forms)
            if self.chance(0.12):
                verb = "are" if count != 1 else "is"
                behind = self.rng.choice(
                    (f" that {verb} {word}", f" in {word}", f" colored {word}")
                )
                before = ""
            elif self.chance(0.06):
                other = self.rng.choice([*COLOUR_WORDS])
                before = f"{word} and {other} "
        for _ in range(self.rng.choice((0, 0, 0, 0, 1, 1, 2))):
            adjective = self.word("adjective")
            separator = ", " if before and self.chance(0.2) else " "
            before = (
                f"{adjective}{separator}{before}" if self.chance(0.7) else f"{before}{adjective} "
            )
        if self.chance(0.06):
            behind += f" {self.word('verb')}"
        elif self.chance(0.06):
            behind += self.rng.choice((" of {0}", " with a {0}", " with {0}", " for {0}")).format(
                (self.chance(0.3) and f"{self.rng.choice([*COLOUR_WORDS])} {self.word('noun')}")
                or self.word("noun")
            )
        phrase = f"{before}{name}{behind}"
        if count > 1:
            return (
                f"{self.rng.choice((str(count), NUMBER_WORDS[count], NUMBERS[count]))} {phrase}"
                if count <= 9
                else phrase
            )
        if count == 1:
            choices = (
                article(phrase),
                article(phrase),
                article(phrase),
                "the",
                "one",
                "my",
                "",
                "this",
            )
            return f"{self.rng.choice(choices)} {phrase}".strip()
        return phrase

    def unknown_noun(self) -> str:
        words = " ".join(
            self.word(self.rng.choice(("adjective", "noun", "verb")))
            for _ in range(self.rng.choice((1, 1, 2, 3)))
        )
        colour = f"{self.rng.choice([*COLOUR_WORDS])} " if self.chance(0.15) else ""
        number = f"{self.rng.choice((*NUMBER_WORDS[2:], *'23456789'))} " if self.chance(0.1) else ""
        return f"{number or self.rng.choice(('', 'a ', 'the '))}{colour}{words}"

    def single(self, concept: NamedConcept | None = None) -> PromptExample:
        example = PromptExample(prompt="", answers={"kind": "single", "count": "1"})
        concept = concept or self.concept("any")
        assert concept
        example.first = concept.name
        example.prompt = self.noun(example, concept)
        choice = self.rng.random()
        if choice < 0.08:
            example.prompt += (
                f" {self.word('verb')} {self.rng.choice(('', 'a ', 'the '))}{self.word('noun')}"
            )
        elif choice < 0.14:
            link = self.rng.choice(("and", "with", "next to", ",", "holding", "riding", "wearing"))
            example.prompt += f" {link} {self.unknown_noun()}"
        elif choice < 0.2:
            link = self.rng.choice(
                ("and", "with", "next to", ",", "holding", "riding", "eating", "on")
            )
            example.prompt = f"{self.unknown_noun()} {link} {example.prompt}"
        elif choice < 0.23:
            other = self.concept("any", concept)
            if other:
                negated = self.noun(PromptExample(prompt=""), other)
                example.prompt += f" {self.rng.choice(('without', 'not', 'with no'))} {negated}"
        elif choice < 0.26:
            example.prompt += f" in {self.rng.choice(('a', 'the'))} {self.word('noun')}"
        return example

    def several(self) -> PromptExample:
        concept = self.concept("any")
        while concept is None or concept.plural == concept.name:
            concept = self.concept("any")
        example = PromptExample(prompt="", first=concept.name)
        choice = self.rng.random()
        count = self.rng.choice((2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9))
        if choice < 0.65:
            example.prompt = self.noun(example, concept, count=count)
        elif choice < 0.7:
            count = self.rng.randint(10, 2000)
            example.prompt = f"{count} {self.noun(example, concept, count=0)}"
        elif choice < 0.73:
            count = 12
            example.prompt = (
                f"{self.rng.choice(NUMBER_WORDS[10:])} {self.noun(example, concept, count=0)}"
            )
        elif choice < 0.87:
            quantity = self.rng.choice([*QUANTITIES])
            count = QUANTITIES[quantity]
            example.prompt = f"{quantity} {self.noun(example, concept, count=0)}"
        else:
            count = 3
            determiner = self.rng.choice(("", "", "the ", "my ", "these "))
            example.prompt = f"{determiner}{self.noun(example, concept, count=0)}"
        example.answers = {"kind": "several", "count": str(min(count, 4))}
        return example

    def relation(self) -> PromptExample:
        """Write two concepts and how they relate.

        A relation that their roles do not allow is next to.
        """
        kind = self.rng.choice(
            ("riding", "on_top", "wearing", "holding", "next_to", "next_to", "wrong")
        )
        roles = {
            "riding": ("rides", "ridden"),
            "on_top": ("any", "base"),
            "wearing": ("rides", self.rng.choice(("hat", "hat", "glasses"))),
            "holding": ("rides", "held"),
            "next_to": ("any", "any"),
            "wrong": (self.rng.choice(("rides", "any")), "unrelated"),
        }[kind]
        first = self.concept(roles[0])
        second = self.concept(roles[1], *filter(None, [first]))
        if first is None or second is None:
            return self.single()
        example = PromptExample(prompt="", first=first.name, second=second.name)
        shown = "next_to" if kind == "wrong" else kind
        reverse = kind in REVERSED_PHRASES and self.chance(0.12)
        if kind == "wrong":
            verb = self.word("verb")
            wrong = ("riding", "wearing", "holding", "on top of", "riding on", verb, verb, verb)
            phrase = self.rng.choice((*wrong, f"{verb} with", f"{verb} at", f"{verb} on"))
        elif reverse:
            phrase = self.rng.choice(REVERSED_PHRASES[kind])
        else:
            phrase = self.mostly_first(RELATION_PHRASES[kind])
        if kind == "next_to":
            # What could be worn, held or ridden is only next to what it is plainly put next to.
            plain = (
                *("next to", "beside", "and", "near", "is next to", ",", "plus", "by the side of"),
                *(
                    "as well as",
                    "behind",
                    "in front of",
                    "under",
                    "over",
                    "standing next to",
                    "and",
                ),
            )
            if second.roles & {"hat", "glasses", "held", "ridden", "base"}:
                phrase = self.rng.choice(plain)
        example.answers = {"kind": shown, "count": "1"}
        count = self.rng.choice((0, 0, 2, 3)) if self.chance(0.2) else 1
        one = self.noun(example, first, count=count)
        two = self.noun(
            example, second, count=self.rng.choice((0, 0, 2)) if self.chance(0.2) else 1
        )
        self.join(example, one, two, phrase, kind, reverse=reverse)
        return example

    def join(
        self, example: PromptExample, one: str, two: str, phrase: str, kind: str, *, reverse: bool
    ) -> None:
        if reverse:
            if "{first}" in phrase:
                example.prompt = f"{two} {phrase.format(first=one)}"
            else:
                example.prompt = f"{two} {phrase} {one}"
            return
        if kind == "holding" and self.chance(0.2):
            phrase = self.word("verb")
        elif self.chance(0.05) and phrase != ",":
            phrase = f"{self.word('verb')} {phrase}"
        elif phrase.startswith("on") and self.chance(0.1):
            example.prompt = f"{phrase} {two} {self.rng.choice(('is', 'sits', 'stands'))} {one}"
            return
        example.prompt = f"{one}, {two}" if phrase == "," else f"{one} {phrase} {two}"

    def three(self) -> PromptExample:
        """Write three concepts, of which only the first two are shown."""
        example = self.relation() if self.chance(0.5) else self.listed()
        taken = {example.first, example.second}
        third = self.concept("any")
        if third is None or third.name in taken:
            return example
        ignored = PromptExample(prompt="")
        noun = self.noun(ignored, third, count=self.rng.choice((1, 1, 1, 2)))
        links = (
            " and",
            ",",
            ", and",
            " with",
            " next to",
            " near",
            " on",
            " holding",
            " wearing",
            " in",
        )
        example.prompt += f"{self.rng.choice(links)} {noun}"
        return example

    def listed(self) -> PromptExample:
        first = self.concept("any")
        second = self.concept("any", *filter(None, [first]))
        if first is None or second is None:
            return self.single()
        example = PromptExample(prompt="", first=first.name, second=second.name)
        example.answers = {"kind": "next_to", "count": "1"}
        link = self.rng.choice((",", " and", " ,"))
        one = self.noun(example, first, count=0 if self.chance(0.2) else 1)
        two = self.noun(example, second, count=0 if self.chance(0.2) else 1)
        example.prompt = f"{one}{link} {two}"
        return example

    def digits(self) -> PromptExample:
        value = str(self.rng.randrange(10) if self.chance(0.6) else self.rng.randrange(10, 100))
        spoken = NUMBER_WORDS[int(value)] if len(value) == 1 and self.chance(0.5) else value
        phrase = self.rng.choice(DIGIT_PHRASES[:3] if self.chance(0.4) else DIGIT_PHRASES)
        answers = {"kind": "digits", "digits": value[0], "second digit": value[1:]}
        return PromptExample(prompt=phrase.format(spoken), answers=answers)

    def add_surroundings(self, example: PromptExample) -> None:
        """Add place, time and weather, or a background colour, or neither."""
        choice = self.rng.random()
        if choice < 0.12:
            word = self.rng.choice([*COLOUR_WORDS])
            form = self.rng.choice(BACKGROUND_PHRASES)
            # "On red" after a noun could be its colour.
            self.add(example, form.format(a=article(word), colour=word))
            example.answers["background"] = COLOUR_WORDS[word]
            return
        rates = {"place": 0.34, "time": 0.14, "weather": 0.12}
        asked = [name for name, rate in rates.items() if choice < 0.6 and self.chance(rate)]
        if self.chance(0.2):
            self.rng.shuffle(asked)
        for question in asked:
            answer = self.rng.choice([*SETTING_PHRASES[question]])
            example.answers[question] = answer
            phrase = self.mostly_first(SETTING_PHRASES[question][answer])
            if (words := SETTING_WORDS[question][answer]) and self.chance(0.2):
                phrase = self.rng.choice(words)
                forms = (
                    *("{0}", "a {0}", "the {0}", "{0} scene", "{0} in the background", "{0} sky"),
                    *("in a {1} {0}", "on a {1} {0}", "in the {1} {0}", "at the {0}", "with a {0}"),
                    *("a {1} {0}", "{1} {0}", "in {0}", "{0} day"),
                )
                phrase = self.rng.choice(forms).format(phrase, self.word("adjective"))
                self.add(example, f", {phrase}" if self.chance(0.6) else phrase)
                continue
            if self.chance(0.08):
                phrase = phrase.replace(" the ", f" the {self.word('adjective')} ")
            self.add(example, phrase)

    def add(self, example: PromptExample, phrase: str) -> None:
        """Put a phrase first or last."""
        if not example.prompt:
            example.prompt = phrase.removeprefix(", ")
        elif self.chance(0.12):
            separator = ", " if self.chance(0.7) else " "
            example.prompt = f"{phrase.removeprefix(', ')}{separator}{example.prompt}"
        elif self.chance(0.12) and " " in example.prompt:
            example.prompt = f"{example.prompt}, {phrase.removeprefix(', ')}"
        else:
            example.prompt = f"{example.prompt} {phrase}"

    def add_style(self, example: PromptExample) -> None:
        if not self.styles or not self.chance(0.16):
            return
        style = self.rng.choice([*self.styles])
        example.answers["style"] = style
        phrase = self.mostly_first(STYLE_PHRASES[style])
        forms = ("{0}, {1}", "{0} in {1}", "{1} {0}", "{1}, {0}", "{0} in a {1}", "a {1} {0}")
        form = forms[0] if self.chance(0.3) else self.rng.choice(forms)
        example.prompt = form.format(example.prompt, phrase).strip(" ,")

    def finish(self, example: PromptExample) -> None:
        """Add polite and empty words, and unknown ones at the end."""
        if self.chance(0.08):
            example.prompt = f"{self.rng.choice(LEAD_INS)} {example.prompt}"
        if self.chance(0.05):
            example.prompt += f", {self.rng.choice(TRIMMINGS)}"
        if self.chance(0.1):
            forms = (
                " {0}",
                " {1}",
                ", {0}",
                " with {0}",
                " of {0}",
                " in the {0}",
                " {1} {0}",
                " on a {0}",
            )
            ending = self.rng.choice(forms)
            example.prompt += ending.format(self.word("noun"), self.word("verb"))
        if self.chance(0.04):
            # Known words that say nothing where they stand.
            example.prompt += self.rng.choice(
                (" falling down", " floating", ", 1920", " crossing", " all around", ", 300")
            )
        if self.chance(0.04):
            example.prompt = f"{self.word('adjective')} {example.prompt}"
        if example.prompt and self.chance(0.05):
            example.prompt += self.rng.choice((".", "?", "!"))
