"""Accounts for the words of a prompt: each is shown, shown as something else, or not used.

This alone decides what is said of a word, and leaves none out: a word is shown if it names a
concept that is, or can lead to an answer that the parser gave; it is shown as something else if
`approximations` says so; it is not used if neither holds. Exempt are words that ask for nothing
that can be shown (a picture of, please), and those that only structure a sentence: they are in the
vocabulary and lead to no answer (the, of, and).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.embedded.approximations import approximations
from sheepgen.embedded.vocabulary import NUMBER, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.embedded.approximations import Approximation
    from sheepgen.embedded.prompt import PromptWords
    from sheepgen.embedded.prompt_parser import ParsedPrompt
    from sheepgen.embedded.prompt_pieces import Word
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["Account", "account_for"]


@dataclass(frozen=True, slots=True)
class Account:
    """What is to be said of a prompt's words; the others are shown as they are, or exempt.

    Args:
        unused: Words and phrases that have no effect, in order.
        otherwise: Those that are shown as something else, and as what.
    """

    unused: tuple[tuple[Word, ...], ...]
    otherwise: tuple[Approximation, ...]


def account_for(words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary) -> Account:
    """Account for the words of a prompt, given the parser's answers."""
    otherwise = tuple(approximations(words, parsed, vocabulary))
    said = {word for each in otherwise for word in each.words}
    unused = dict.fromkeys(_without_effect(words, parsed, vocabulary))
    return Account(
        unused=tuple(phrase for phrase in unused if said.isdisjoint(phrase)),
        otherwise=otherwise,
    )


def _without_effect(
    words: PromptWords, parsed: ParsedPrompt, vocabulary: Vocabulary
) -> Iterator[tuple[Word, ...]]:
    """Yield what neither names a concept that is shown nor leads to an answer, in order."""
    shown = {mention.symbol for mention in parsed.mentions}
    mentioned = {mention.symbol for mention in words.mentions}
    given = _given(parsed)
    for at, (symbol, phrase) in enumerate(zip(words.symbols, words.places, strict=True)):
        if at in mentioned:
            cues = vocabulary.cues.get(phrase[0].text, ())
            used = at in shown
            if not used and not given.isdisjoint(cues):
                # "A couple of cats" counts them. Of "beach umbrella" there may be the beach alone.
                phrase, used = phrase[1:], len(phrase) == 1
        else:
            # Orange is read as the fruit is even where it is a colour.
            cues = vocabulary.cues.get(symbol) or vocabulary.cues.get(phrase[0].text, ())
            used = symbol not in (OTHER, NUMBER) and (not cues or not given.isdisjoint(cues))
        if not used:
            yield phrase


def _given(parsed: ParsedPrompt) -> set[str]:
    """Return the answers as cues name them: "place", "place=beach"."""
    answers = {question: answer for question, answer in parsed.answers.items() if answer}
    colours = {f"colour={colour}" for colour in parsed.colours if colour}
    given = {*answers, *(f"{question}={answer}" for question, answer in answers.items())}
    return given | colours | ({"colour"} if colours else set())
