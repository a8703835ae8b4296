"""Finds where the scene differs from what the prompt asks for, so that it can be said.

kids riding a bus     "kids" as "a child": two related things are one each
a nurse               "nurse" as "a woman doctor", which comes nearest
an owl in a tree      "in" as "on top of", which comes nearest
a mountain road       "mountain road" as "a mountain on a road"
a boat on the sea     "sea" as "by a lake"
a walk in the garden  "garden" as "a butterfly in a flower garden": a place alone shows little
a crowd of people     "crowd" as "four", which is the most that is shown
a golden crown        "golden" as "yellow"
a snow globe          "snow" as "in the snow"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sheepgen.embedded.scene_labels import FAINT, OWN_WORDS, PHRASES, VERBS, with_article
from sheepgen.embedded.vocabulary import CLASSES, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sheepgen.embedded.prompt import Mention, PromptWords
    from sheepgen.embedded.prompt_parser import ParsedPrompt
    from sheepgen.embedded.prompt_pieces import Word
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["Approximation", "approximations"]

_MOST = "4"
"""The largest number that is shown, also for "many"."""

_FAINT = "white"
"""What is painted in this colour has hardly any outlines on the pale backgrounds."""


class Approximation(NamedTuple):
    """Words of a prompt, and what is shown for them."""

    words: Sequence[Word]
    shown: str


def approximations(
    words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary
) -> Iterator[Approximation]:
    """Yield what is shown differently from what the prompt says."""
    kind, count = parsed.answers["kind"], parsed.answers.get("count")
    if parsed.link and kind not in parsed.link.meant:
        yield Approximation(parsed.link.words, VERBS[kind])
    for mention, colour in zip(parsed.mentions, parsed.colours, strict=True):
        yield from _mention_approximations(mention, words, parsed, vocabulary)
        yield from _colour_approximations(mention, colour, words, vocabulary)
    if kind == "several" and count == _MOST:
        for phrase, _ in _leading_to(f"count={_MOST}", words, vocabulary):
            if vocabulary.cues.get(phrase[0].text) != vocabulary.cues.get(_MOST):
                yield Approximation(phrase, "four")
    for question in ("place", "time", "weather"):
        if parsed.answers.get(question):
            yield from _setting_approximations(question, words, parsed, vocabulary)


def _mention_approximations(
    mention: Mention, words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary
) -> Iterator[Approximation]:
    kind, place = parsed.answers["kind"], parsed.answers.get("place", "")
    concept = vocabulary.concepts[mention.concept]
    is_one = mention.plural and kind != "several" and concept.plural != concept.name
    said = {word.text for word in mention.words}
    is_name = mention.how == "name" or (mention.how == "evoked" and said <= {*concept.name.split()})
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


def _colour_approximations(
    mention: Mention, colour: str, words: PromptWords, vocabulary: Vocabulary
) -> Iterator[Approximation]:
    if not colour:
        return
    named = [*_leading_to(f"colour={colour}", words, vocabulary)]
    drawn = {row[2] for row in vocabulary.drawings if row[0] == mention.concept}
    for phrase, symbol in named:
        if symbol not in OWN_WORDS.get(colour, {colour}):
            yield Approximation(phrase, colour)
        elif colour == _FAINT and colour not in drawn:
            yield Approximation(phrase, f"{colour}, with hardly any outlines")


def _setting_approximations(
    question: str, words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary
) -> Iterator[Approximation]:
    answer = parsed.answers[question]
    named = [*_leading_to(f"{question}={answer}", words, vocabulary)]
    added = vocabulary.defaults.get(answer, "") if question == "place" else ""
    if not named:
        return
    phrase, word = named[-1]
    own = OWN_WORDS.get(answer)
    is_own = own is None or not own.isdisjoint(text for _, text in named)
    if added and not parsed.mentions and added not in words.absent:
        yield Approximation(phrase, f"{with_article(added)} {PHRASES[answer]}")
    elif not is_own or (question == "place" and _is_modifier(phrase, word, words)):
        yield Approximation(phrase, FAINT.get(answer, PHRASES[answer]))
    elif answer in FAINT:
        yield Approximation(phrase, FAINT[answer])


def _is_modifier(phrase: tuple[Word, ...], text: str, words: PromptWords) -> bool:
    """Return whether a noun stands right before another: "a snow globe", but not "a snowy owl"."""
    following = words.symbols[words.places.index(phrase) + 1 :][:1]
    is_adjective = text.endswith("y") or text in PHRASES.values()
    return following != () and following[0] in CLASSES and not is_adjective


def _leading_to(
    cue: str, words: PromptWords, vocabulary: Vocabulary
) -> Iterator[tuple[tuple[Word, ...], str]]:
    """Yield the words that can lead to an answer, and the English word that each is."""
    for phrase, symbol in zip(words.places, words.symbols, strict=True):
        if symbol == OTHER:  # among others what is negated: "without clouds"
            continue
        # What is read as another English word is itself: "ocean", though the parser reads "lake".
        is_english = len(phrase) == 1 and phrase[0].text in vocabulary.ids
        texts = (phrase[0].text,) if is_english else (symbol, *(word.text for word in phrase))
        if any(cue in vocabulary.cues.get(text, ()) for text in (symbol, *texts)):
            yield phrase, texts[0]
