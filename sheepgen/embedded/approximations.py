"""Finds where the scene differs from what the prompt asks for, so that it can be said.

kids riding a bus     "kids" as "a child": two related things are one each
an owl in a tree      "in" as "on top of", which comes nearest
a mountain road       "mountain road" as "a mountain on a road"
a boat on the sea     "sea" as "by a lake"
a walk in the garden  "garden" as "a butterfly in a flower garden": a place alone shows little
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sheepgen.embedded.link_words import find_link
from sheepgen.embedded.scene_labels import PHRASES, VERBS, with_article

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sheepgen.embedded.prompt import PromptWords
    from sheepgen.embedded.prompt_parser import ParsedPrompt
    from sheepgen.embedded.prompt_pieces import Word
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["Approximation", "approximations"]

_LETTERS_ALIKE = 3
"""Words that begin with the same letters are taken for one: snow, snowy."""


class Approximation(NamedTuple):
    """Words of a prompt, and what is shown for them."""

    words: Sequence[Word]
    shown: str


def approximations(
    words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary
) -> Iterator[Approximation]:
    """Yield what is shown differently from what the prompt says."""
    kind = parsed.answers["kind"]
    if kind in VERBS:
        first, second = parsed.mentions
        link = find_link(words, first, second, vocabulary)
        if link and kind not in link.meant:
            yield Approximation(link.words, VERBS[kind])
    place = parsed.answers.get("place", "")
    for mention in parsed.mentions:
        concept = vocabulary.concepts[mention.concept]
        is_one = mention.plural and kind != "several" and concept.plural != concept.name
        said = {word.text for word in mention.words}
        is_name = mention.how == "name" or said <= {*concept.name.split()}
        if is_one or not is_name:
            name = concept.plural if kind == "several" else with_article(concept.name)
            yield Approximation(mention.words, concept.name if "bare" in concept.roles else name)
        following = words.places[mention.symbol + 1 : mention.symbol + 2]
        # "Underwater" is said as it is shown: without a preposition.
        nouns = {head[0].text for head in following} - {PHRASES.get(place)}
        cues = {cue for noun in nouns for cue in vocabulary.cues.get(noun, ())}
        if kind == "single" and f"place={place}" in cues:
            shown = f"{with_article(concept.name)} {PHRASES[place]}"
            yield Approximation((*mention.words, *following[0]), shown)
    if place:
        yield from _place_approximations(words, parsed, vocabulary)


def _place_approximations(
    words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary
) -> Iterator[Approximation]:
    place = parsed.answers["place"]
    named = [
        said
        for said, symbol in zip(words.places, words.symbols, strict=True)
        if " ".join(word.text for word in said) not in vocabulary.foreign
        for text in {symbol, *(word.text for word in said)}
        if f"place={place}" in vocabulary.cues.get(text, ())
    ]
    beginnings = {part[:_LETTERS_ALIKE] for part in PHRASES[place].split()}
    is_said_so = any(word.text[:_LETTERS_ALIKE] in beginnings for said in named for word in said)
    added = "" if parsed.mentions else vocabulary.defaults.get(place, "")
    if named and added:
        yield Approximation(named[-1], f"{with_article(added)} {PHRASES[place]}")
    elif named and not is_said_so:
        yield Approximation(named[-1], PHRASES[place])
