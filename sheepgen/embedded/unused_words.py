"""Finds the words of a prompt that have no effect on how it is understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.embedded.prompt import singulars
from sheepgen.embedded.vocabulary import CLASSES, NUMBER, OTHER

if TYPE_CHECKING:
    from sheepgen.embedded.prompt import PromptWords
    from sheepgen.embedded.prompt_parser import ParsedPrompt
    from sheepgen.embedded.prompt_pieces import Word
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["suggestion_for", "unused_words"]


_VERBAL = ("ing", "ed")

_GESTURES = ("face", "hand", "action")
"""Groups of concepts that words for moods and doings evoke."""


def unused_words(
    words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary
) -> tuple[Word, ...]:
    """Return the words of a prompt that have no effect, in order.

    A concept is used if it is shown; any other word that can lead to an answer, if it is the
    answer. Words that only structure a sentence are never missed.
    """
    shown = {mention.symbol for mention in parsed.mentions}
    mentioned = {mention.symbol for mention in words.mentions}
    answers = {name: answer for name, answer in parsed.answers.items() if answer}
    if parsed.mentions:
        for colour in parsed.colours:
            answers.setdefault(f"colour={colour}", colour)
    given = {*answers, *(f"{name}={answer}" for name, answer in answers.items())}
    unused: dict[Word, None] = {}
    for at, (symbol, place) in enumerate(zip(words.symbols, words.places, strict=True)):
        if at in mentioned:
            cues = vocabulary.cues.get(place[0].text, ())
            # "A couple of cats" counts them.
            used = at in shown or not given.isdisjoint(cues)
        else:
            # Orange is read as the fruit is even where it is a colour.
            cues = vocabulary.cues.get(symbol) or vocabulary.cues.get(place[0].text, ())
            used = symbol not in (OTHER, NUMBER) and (not cues or not given.isdisjoint(cues))
        if not used:
            unused |= dict.fromkeys(place)
    return (*unused, *words.unread)


def suggestion_for(word: Word, words: PromptWords, vocabulary: Vocabulary) -> str:
    """Return the concept that an unused word may have been meant to name, or "".

    By what it evokes, unless it only says more about a thing, or else by spelling; English words
    are not taken for mistyped ones.
    """
    named = {mention.concept for mention in words.mentions}
    followed = {
        each: following
        for place, following in zip(words.places, (*words.symbols[1:], ""), strict=False)
        for each in place
    }
    if followed.get(word, "") not in CLASSES and not word.text.endswith(_VERBAL):
        for form in (word.text, *singulars(word.text)):
            concept = vocabulary.concepts.get(vocabulary.evoked.get(form, ""))
            if concept and concept.group not in _GESTURES and concept.name not in named:
                return concept.name
    is_word = word.text in vocabulary.known or word.text in vocabulary.real
    return "" if is_word else vocabulary.closest(word.text)
