"""English plurals, articles and number words."""

from __future__ import annotations

import re

__all__ = ["NUMBERS", "article", "plural_of", "words_of"]

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_SIBILANTS = ("s", "x", "z", "ch", "sh")
_IRREGULAR_ARTICLES = {
    "european": "a",
    "hourglass": "an",
    "one": "a",
    "ufo": "a",
    "unicorn": "a",
    "used": "a",
}


_IRREGULAR_PLURALS = {
    "calf": "calves",
    "child": "children",
    "fireman": "firemen",
    "foot": "feet",
    "gentleman": "gentlemen",
    "goose": "geese",
    "guardsman": "guardsmen",
    "half": "halves",
    "horseman": "horsemen",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "policeman": "policemen",
    "policewoman": "policewomen",
    "scarf": "scarves",
    "sheep": "sheep",
    "shelf": "shelves",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
}

_PEOPLE = "baby|boy|child|couple|girl|guy|kid|lady|man|person|woman"

_HEAD = re.compile(
    r"(?P<head>.+?)(?P<rest> (?:at|behind|from|in|of|on|who|with|without) .+)"
    rf"|(?P<who>(?:.+ )?(?:{_PEOPLE}))(?P<doing> \w+ing(?: .+)?)"
)
"""A noun and what hangs on it: piece | of cake, woman | dancing."""


def plural_of(phrase: str) -> str:
    """Return the plural of a phrase: bus, buses; piece of cake, pieces of cake.

    Few irregular nouns are known; the table of concepts names its own others.
    """
    if match := _HEAD.fullmatch(phrase):
        head, rest, who, doing = match.group("head", "rest", "who", "doing")
        return f"{plural_of(who)}{doing}" if who else f"{plural_of(head)}{rest}"
    *before, last = phrase.split(" ")
    if last in _IRREGULAR_PLURALS:
        return " ".join((*before, _IRREGULAR_PLURALS[last]))
    if phrase.endswith(_SIBILANTS):
        return f"{phrase}es"
    if phrase.endswith("y") and phrase[-2:-1] not in "aeiou":
        return f"{phrase[:-1]}ies"
    return f"{phrase}s"


def article(phrase: str) -> str:
    """Return the article of a phrase: "a" or "an"."""
    first = phrase.split()[0]
    return _IRREGULAR_ARTICLES.get(first, "an" if first[0] in "aeiou" else "a")


def words_of(sentence: str) -> list[str]:
    """Return a sentence's words and numbers in lower case, without punctuation."""
    return re.findall(r"[a-z]+|[0-9]+", sentence.lower())
