"""Prompts without end as people type them, each with what the prompt parser is to answer."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sheepgen.training.text_encoder.prompt_phrases import (
    DIGIT_PHRASES,
    NUMBER_WORDS,
    QUANTITIES,
    RELATION_PHRASES,
    REVERSED_PHRASES,
)
from sheepgen.training.text_encoder.prompt_surroundings import (
    add_empty_words,
    add_style,
    add_surroundings,
)
from sheepgen.training.text_encoder.word_sampler import (
    RELATED,
    NounPhrase,
    WordSampler,
    concepts_by_role,
    unknown_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["PromptDataset", "PromptExample"]


@dataclass(frozen=True, kw_only=True, slots=True)
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
    answers: Mapping[str, str] = field(default_factory=dict)
    first: str = ""
    second: str = ""
    colours: Mapping[str, str] = field(default_factory=dict)


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
        self._by_role = concepts_by_role(vocabulary)
        self._unknown = unknown_words(vocabulary)

    def __getitem__(self, index: int) -> PromptExample:
        """Return example ``index``, 0 or more; always the same."""
        rng = random.Random(f"{self._seed}/prompts/{index}")  # noqa: S311
        words = WordSampler(rng, self._by_role, self._unknown)
        (write,) = rng.choices([*_SORTS], [*_SORTS.values()])
        example = write(words)
        prompt, answers = example.prompt, {**example.answers}
        if write is not _digits:
            prompt, surroundings = add_surroundings(words, prompt)
            answers |= surroundings
        prompt, style = add_style(words, prompt, self._styles)
        if style:
            answers["style"] = style
        return replace(example, prompt=add_empty_words(words, prompt), answers=answers)


_PLAIN_LINKS = (
    *("next to", "beside", "and", "near", "is next to", ",", "plus", "by the side of"),
    *("as well as", "behind", "in front of", "under", "over", "standing next to", "and"),
)
"""What could be worn, held or ridden is only next to what it is plainly put next to."""

_THIRD_LINKS = (
    *(" and", ",", ", and", " with", " next to", " near", " on", " holding", " wearing", " in"),
)


def _colours(*nouns: NounPhrase) -> dict[str, str]:
    return {noun.concept: noun.colour for noun in nouns if noun.colour}


def _single(words: WordSampler) -> PromptExample:
    """Write one concept, now and then with something unknown or unwanted."""
    concept = words.concept("any")
    assert concept
    noun = words.noun(concept)
    prompt, choice = noun.text, words.rng.random()
    if choice < 0.08:
        verb, determiner = words.unknown_word("verb"), words.choose(("", "a ", "the "))
        prompt += f" {verb} {determiner}{words.unknown_word('noun')}"
    elif choice < 0.14:
        link = words.choose(("and", "with", "next to", ",", "holding", "riding", "wearing"))
        prompt += f" {link} {words.unknown_noun()}"
    elif choice < 0.2:
        link = words.choose(("and", "with", "next to", ",", "holding", "riding", "eating", "on"))
        prompt = f"{words.unknown_noun()} {link} {prompt}"
    elif choice < 0.23:
        if other := words.concept("any", concept):
            unwanted = words.noun(other).text
            prompt += f" {words.choose(('without', 'not', 'with no'))} {unwanted}"
    elif choice < 0.26:
        prompt += f" in {words.choose(('a', 'the'))} {words.unknown_word('noun')}"
    return PromptExample(
        prompt=prompt,
        answers={"kind": "single", "count": "1"},
        first=concept.name,
        colours=_colours(noun),
    )


def _several(words: WordSampler) -> PromptExample:
    """Write several of a concept: a number of them, a group, or just the plural."""
    concept = words.concept("any")
    while concept is None or concept.plural == concept.name:
        concept = words.concept("any")
    choice = words.rng.random()
    count = words.rng.choice((2, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9))
    before, written = "", 0
    if choice < 0.65:
        written = count
    elif choice < 0.7:
        count = words.rng.randint(10, 2000)
        before = f"{count} "
    elif choice < 0.73:
        count = 12
        before = f"{words.choose(NUMBER_WORDS[10:])} "
    elif choice < 0.87:
        quantity = words.choose([*QUANTITIES])
        count = QUANTITIES[quantity]
        before = f"{quantity} "
    else:
        count = 3
        before = words.choose(("", "", "the ", "my ", "these "))
    noun = words.noun(concept, count=written)
    return PromptExample(
        prompt=f"{before}{noun.text}",
        answers={"kind": "several", "count": str(min(count, 4))},
        first=concept.name,
        colours=_colours(noun),
    )


def _relation(words: WordSampler) -> PromptExample:
    """Write two concepts and how they relate.

    A relation that their roles do not allow is next to.
    """
    kind = words.choose(("riding", "on_top", "wearing", "holding", "next_to", "next_to", "wrong"))
    roles = {
        "riding": ("rides", "ridden"),
        "on_top": ("any", "base"),
        "wearing": ("rides", words.choose(("hat", "hat", "glasses"))),
        "holding": ("rides", "held"),
        "next_to": ("any", "any"),
        "wrong": (words.choose(("rides", "any")), "unrelated"),
    }[kind]
    first = words.concept(roles[0])
    second = words.concept(roles[1], *filter(None, [first]))
    if first is None or second is None:
        return _single(words)
    reverse = kind in REVERSED_PHRASES and words.happens(0.12)
    if kind == "wrong":
        verb = words.unknown_word("verb")
        wrong = ("riding", "wearing", "holding", "on top of", "riding on", verb, verb, verb)
        link = words.choose((*wrong, f"{verb} with", f"{verb} at", f"{verb} on"))
    elif reverse:
        link = words.choose(REVERSED_PHRASES[kind])
    else:
        link = words.mostly_first(RELATION_PHRASES[kind])
    if kind == "next_to" and second.roles & RELATED:
        link = words.choose(_PLAIN_LINKS)
    one = words.noun(first, count=words.rng.choice((0, 0, 2, 3)) if words.happens(0.2) else 1)
    two = words.noun(second, count=words.rng.choice((0, 0, 2)) if words.happens(0.2) else 1)
    if reverse:
        prompt = _reversed(one.text, two.text, link)
    else:
        prompt = _related(words, one.text, two.text, link, kind)
    return PromptExample(
        prompt=prompt,
        answers={"kind": "next_to" if kind == "wrong" else kind, "count": "1"},
        first=first.name,
        second=second.name,
        colours=_colours(one, two),
    )


def _reversed(one: str, two: str, link: str) -> str:
    return f"{two} {link.format(first=one)}" if "{first}" in link else f"{two} {link} {one}"


def _related(words: WordSampler, one: str, two: str, link: str, kind: str) -> str:
    if kind == "holding" and words.happens(0.2):
        link = words.unknown_word("verb")
    elif words.happens(0.05) and link != ",":
        link = f"{words.unknown_word('verb')} {link}"
    elif link.startswith("on") and words.happens(0.1):
        return f"{link} {two} {words.choose(('is', 'sits', 'stands'))} {one}"
    return f"{one}, {two}" if link == "," else f"{one} {link} {two}"


def _listed(words: WordSampler) -> PromptExample:
    """Write two concepts side by side."""
    first = words.concept("any")
    second = words.concept("any", *filter(None, [first]))
    if first is None or second is None:
        return _single(words)
    link = words.choose((",", " and", " ,"))
    one = words.noun(first, count=0 if words.happens(0.2) else 1)
    two = words.noun(second, count=0 if words.happens(0.2) else 1)
    return PromptExample(
        prompt=f"{one.text}{link} {two.text}",
        answers={"kind": "next_to", "count": "1"},
        first=first.name,
        second=second.name,
        colours=_colours(one, two),
    )


def _three(words: WordSampler) -> PromptExample:
    """Write three concepts, of which only the first two are shown."""
    example = _relation(words) if words.happens(0.5) else _listed(words)
    third = words.concept("any")
    if third is None or third.name in {example.first, example.second}:
        return example
    noun = words.noun(third, count=words.rng.choice((1, 1, 1, 2)))
    return replace(example, prompt=f"{example.prompt}{words.choose(_THIRD_LINKS)} {noun.text}")


def _digits(words: WordSampler) -> PromptExample:
    """Write one or two digits."""
    rng = words.rng
    value = str(rng.randrange(10) if words.happens(0.6) else rng.randrange(10, 100))
    spoken = NUMBER_WORDS[int(value)] if len(value) == 1 and words.happens(0.5) else value
    phrase = words.choose(DIGIT_PHRASES[:3] if words.happens(0.4) else DIGIT_PHRASES)
    answers = {"kind": "digits", "digits": value[0], "second digit": value[1:]}
    return PromptExample(prompt=phrase.format(spoken), answers=answers)


def _nothing(words: WordSampler) -> PromptExample:
    """Write no concept."""
    return PromptExample(prompt=words.unknown_noun() if words.happens(0.4) else "")


_SORTS: Mapping[Callable[[WordSampler], PromptExample], float] = {
    _relation: 0.42,
    _single: 0.24,
    _several: 0.12,
    _digits: 0.05,
    _nothing: 0.08,
    _three: 0.09,
}
"""How many prompts are of which sort."""
