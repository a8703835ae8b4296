"""The words that the prompt parser reads as they are, and the answers that each can lead to.

A word that leads to none is one that only structures a sentence: nobody misses it.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

from sheepgen.embedded.prompt import phrase_key
from sheepgen.embedded.scene_labels import RELATIONS
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
    STRUCTURE_WORDS,
    STYLE_PHRASES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["words_and_cues"]

_DIGITS = tuple("0123456789")

_NEVER = "kind=never"
"""The cue of words that the parser reads but that change nothing which could be shown."""

_FURTHER_CUES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("riding", "rides", "cycling"), ("kind=riding",)),
    **dict.fromkeys(
        ("driving", "drives", "driven", "ridden", "traveling", "flying"), ("kind=riding",)
    ),
    **dict.fromkeys(("wearing", "wears", "dressed", "worn"), ("kind=wearing",)),
    **dict.fromkeys(("holding", "holds", "held"), ("kind=holding",)),
    **dict.fromkeys(("carrying", "carries", "carried"), ("kind=holding", "kind=riding")),
    **dict.fromkeys(("lying", "sleeping", "art", "me"), (_NEVER,)),
    **dict.fromkeys(("perched", "sitting", "sits", "sat", "upon"), ("kind=on_top", "kind=riding")),
    **dict.fromkeys(("standing", "stands"), ("kind=on_top", "kind=riding", "kind=next_to")),
    **dict.fromkeys(("together", "close", "side", "versus", "vs", "plus"), ("kind=next_to",)),
    **dict.fromkeys(("color", "colors", "colour", "colored", "coloured"), ("colour", "background")),
    **dict.fromkeys(("without", "not", "no", "behind", "below", "between"), (_NEVER,)),
    "both": ("count=2", *(f"kind={kind}" for kind in RELATIONS)),
    "back": ("kind=riding", "kind=on_top"),
    "head": ("kind=wearing",),
    "hands": ("kind=holding",),
    "above": ("kind=on_top",),
    "over": ("kind=on_top", "place=hills"),
    "wall": ("background",),
    "background": ("background",),
    "backdrop": ("background",),
    "style": ("style",),
    "design": ("style",),
    "vector": ("style",),
    "handwritten": ("kind=digits",),
    "number": ("kind=digits",),
    "digit": ("kind=digits",),
    "digits": ("kind=digits",),
    "numeral": ("kind=digits",),
    "write": ("kind=digits",),
    "dark": ("time=night",),
    "winter": ("place=snow",),
    "home": ("place=room",),
    "under": ("place=underwater", "weather=clouds", "weather=sun", "time", "kind=on_top"),
}

_SILENT = {
    *("a", "an", "the", "on", "in", "at", "by", "of", "with", "and", "to", "for", "from", "into"),
    *("it", "is", "while", "when", "front", "during", "among", "along", "across", "through", "day"),
    *("inside", "near", "one", "some", "1", "top", "home"),
}
"""Words that say nothing by themselves, so that nobody misses what they could have led to."""


def words_and_cues() -> tuple[list[str], dict[str, list[str]]]:
    """Return the words that the parser reads, and what answers they can lead to."""
    cues: dict[str, set[str]] = defaultdict(set)
    words: set[str] = {",", *_DIGITS, *(f"+{digit}" for digit in _DIGITS), *STRUCTURE_WORDS}

    def read(phrase: str) -> list[str]:
        found = phrase_key(phrase.replace("{0}", "").replace("{first}", "")).split()
        words.update(found)
        return found

    for question, table in SETTING_PHRASES.items():
        for answer, phrases in table.items():
            for phrase in (*phrases, *SETTING_WORDS[question][answer]):
                for word in read(phrase):
                    cues[word].add(f"{question}={answer}")
    for style, phrases in STYLE_PHRASES.items():
        for word in chain.from_iterable(map(read, phrases)):
            cues[word].add(f"style={style}")
    for word, colour in COLOUR_WORDS.items():
        words.add(word)
        cues[word] = {f"colour={colour}", f"background={colour}"}
    for value, word in enumerate(NUMBER_WORDS):
        words.add(word)
        cues[word] = {f"count={value}", *(f"digits={value}",) * (value < 10)}
    for digit in _DIGITS:
        cues[digit] = {f"count={digit}", f"digits={digit}"}
        cues[f"+{digit}"] = {f"second digit={digit}"}
    for phrase, count in QUANTITIES.items():
        for word in read(phrase):
            cues[word].add(f"count={count}")
    for phrase in chain(*RELATION_PHRASES.values(), *REVERSED_PHRASES.values(), DIGIT_PHRASES):
        read(phrase)
    for phrase in BACKGROUND_PHRASES:
        read(phrase.replace("{colour}", "").replace("{a}", ""))
    for word in _SILENT:
        cues.pop(word, None)
    for word, answers in _FURTHER_CUES.items():
        words.add(word)
        cues[word] = {*answers}
    return sorted(words), {word: sorted(answers) for word, answers in sorted(cues.items())}
