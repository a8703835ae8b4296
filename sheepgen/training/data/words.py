"""Small rules of English: plurals, articles, numbers, and a sentence's words."""

from __future__ import annotations

import re

__all__ = ["NUMBERS", "article", "plural_of", "words_of"]

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_HISSES = ("s", "x", "z", "ch", "sh")
_SAID_OTHERWISE = {
    "european": "a",
    "hourglass": "an",
    "one": "a",
    "ufo": "a",
    "unicorn": "a",
    "used": "a",
}


def plural_of(phrase: str) -> str:
    """Return the regular plural of a phrase's last word: bus, buses; cherry, cherries."""
    if phrase.endswith(_HISSES):
        return f"{phrase}es"
    if phrase.endswith("y") and phrase[-2:-1] not in "aeiou":
        return f"{phrase[:-1]}ies"
    return f"{phrase}s"


def article(phrase: str) -> str:
    """Return "a" or "an", whichever fits before the phrase."""
    first = phrase.split()[0]
    return _SAID_OTHERWISE.get(first, "an" if first[0] in "aeiou" else "a")


def words_of(sentence: str) -> list[str]:
    """Return a sentence's words in lower case, without marks."""
    return re.findall(r"[a-z]+|[0-9]+", sentence.lower())
