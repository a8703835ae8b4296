"""What surrounds the concepts in made-up prompts: places and the like, styles and empty words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.training.data.words import article
from sheepgen.training.text_encoder.prompt_phrases import (
    BACKGROUND_PHRASES,
    COLOUR_WORDS,
    LEAD_INS,
    SETTING_PHRASES,
    SETTING_WORDS,
    STYLE_PHRASES,
    TRIMMINGS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.training.text_encoder.word_sampler import WordSampler

__all__ = ["add_empty_words", "add_style", "add_surroundings"]

BACKGROUND_RATE, PLAIN_RATE = 0.12, 0.4
"""Share of prompts with a background colour, and of those with no surroundings at all."""

SETTING_RATES = {"place": 0.34, "time": 0.14, "weather": 0.12}
"""How many of the others name each of these."""

WORD_FORMS = (
    *("{0}", "a {0}", "the {0}", "{0} scene", "{0} in the background", "{0} sky"),
    *("in a {1} {0}", "on a {1} {0}", "in the {1} {0}", "at the {0}", "with a {0}"),
    *("a {1} {0}", "{1} {0}", "in {0}", "{0} day"),
)
"""What surrounds a word of `SETTING_WORDS`; {1} is an adjective."""

STYLE_FORMS = ("{0}, {1}", "{0} in {1}", "{1} {0}", "{1}, {0}", "{0} in a {1}", "a {1} {0}")

UNKNOWN_ENDINGS = (
    *(" {0}", " {1}", ", {0}", " with {0}", " of {0}", " in the {0}", " {1} {0}", " on a {0}"),
)
"""{0} is a noun, {1} a verb."""

SILENT_ENDINGS = (" falling down", " floating", ", 1920", " crossing", " all around", ", 300")
"""Known words that say nothing where they stand."""


def add_surroundings(words: WordSampler, prompt: str) -> tuple[str, dict[str, str]]:
    """Add place, time and weather, or a background colour, or neither.

    Returns:
        The prompt, and the answers to the questions of its surroundings.
    """
    choice = words.rng.random()
    if choice < BACKGROUND_RATE:
        word = words.colour_word()
        phrase = words.choose(BACKGROUND_PHRASES).format(a=article(word), colour=word)
        # "On red" after a noun could be its colour.
        return _join(words, prompt, phrase), {"background": COLOUR_WORDS[word]}
    if choice >= 1 - PLAIN_RATE:
        asked = []
    else:
        asked = [name for name, rate in SETTING_RATES.items() if words.happens(rate)]
    if words.happens(0.2):
        words.rng.shuffle(asked)
    answers = {}
    for question in asked:
        answers[question] = answer = words.choose([*SETTING_PHRASES[question]])
        prompt = _join(words, prompt, _setting_phrase(words, question, answer))
    return prompt, answers


def _setting_phrase(words: WordSampler, question: str, answer: str) -> str:
    """Return a phrase for a place, time or weather, or a word for it in some form."""
    phrase = words.mostly_first(SETTING_PHRASES[question][answer])
    if (several := SETTING_WORDS[question][answer]) and words.happens(0.2):
        word, form = words.choose(several), words.choose(WORD_FORMS)
        phrase = form.format(word, words.unknown_word("adjective"))
        return f", {phrase}" if words.happens(0.6) else phrase
    if words.happens(0.08):
        phrase = phrase.replace(" the ", f" the {words.unknown_word('adjective')} ")
    return phrase


def _join(words: WordSampler, prompt: str, phrase: str) -> str:
    """Put a phrase first or last."""
    bare = phrase.removeprefix(", ")
    if not prompt:
        return bare
    if words.happens(0.12):
        separator = ", " if words.happens(0.7) else " "
        return f"{bare}{separator}{prompt}"
    if words.happens(0.12) and " " in prompt:
        return f"{prompt}, {bare}"
    return f"{prompt} {phrase}"


def add_style(words: WordSampler, prompt: str, styles: Sequence[str]) -> tuple[str, str]:
    """Add one of some styles, or none; return the prompt and the style, or an empty string."""
    if not styles or not words.happens(0.16):
        return prompt, ""
    style = words.choose(styles)
    phrase = words.mostly_first(STYLE_PHRASES[style])
    return words.mostly_first(STYLE_FORMS).format(prompt, phrase).strip(" ,"), style


def add_empty_words(words: WordSampler, prompt: str) -> str:
    """Add polite and empty words, and unknown ones at the end."""
    if words.happens(0.08):
        prompt = f"{words.choose(LEAD_INS)} {prompt}"
    if words.happens(0.05):
        prompt += f", {words.choose(TRIMMINGS)}"
    if words.happens(0.1):
        ending = words.choose(UNKNOWN_ENDINGS)
        prompt += ending.format(words.unknown_word("noun"), words.unknown_word("verb"))
    if words.happens(0.04):
        prompt += words.choose(SILENT_ENDINGS)
    if words.happens(0.04):
        prompt = f"{words.unknown_word('adjective')} {prompt}"
    if prompt and words.happens(0.05):
        prompt += words.choose((".", "?", "!"))
    return prompt
