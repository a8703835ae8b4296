"""Whether a space shows what is said of such spaces: that what is near in meaning is near in it.

A small fixed set is tried in the space itself, and the sentences follow from its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from sheepgen.meaning.query import Analogy, parse_analogy
from sheepgen.sanitize import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.meaning.atlas import Atlas

__all__ = [
    "ANALOGIES",
    "PAIRS",
    "PROBES",
    "Check",
    "TriedAnalogy",
    "check_geometry",
    "describe_check",
]

PAIRS = (
    ("a sheep", "a ewe"),
    ("a motorcycle", "a scooter"),
    ("a dog", "a wolf"),
    ("an apple", "a pear"),
    ("a guitar", "a violin"),
    ("a house", "a castle"),
    ("a king", "a queen"),
    ("a ship", "a sailboat"),
    ("a rose", "a tulip"),
    ("a shirt", "a jacket"),
    ("a bee", "a butterfly"),
    ("a hammer", "an axe"),
)
"""Words and their relatives; the relatives of different words have little to do with each other."""

ANALOGIES: tuple[tuple[Analogy, str], ...] = tuple(
    (parse_analogy(text), expected)
    for text, expected in (
        ("king - man + woman", "queen"),
        ("prince - boy + girl", "princess"),
        ("father - man + woman", "mother"),
        ("actor - man + woman", "actress"),
        ("Paris - France + Italy", "Rome"),
        ("kitten - cat + dog", "puppy"),
    )
)
"""Sums, and the word that they are to lead to."""

_DECOYS = (
    *("aunt", "bride", "daughter", "duchess", "sister"),
    *("dancer", "singer", "waitress"),
    *("Athens", "Berlin", "London", "Madrid"),
    *("calf", "foal", "lamb", "piglet"),
)
"""Words that sums could lead to by mistake, besides those of the list: it may have none alike."""

PROBES = (
    *(text for pair in PAIRS for text in pair),
    *(term.text for analogy, _ in ANALOGIES for term in analogy.terms),
    *(expected for _, expected in ANALOGIES),
    *_DECOYS,
)
"""All texts that are tried."""

_SHEEP, _EWE, _MOTORCYCLE = PAIRS[0][0], PAIRS[0][1], PAIRS[1][0]

_CLEARLY, _MOSTLY = 0.9, 0.75
"""Shares of comparisons from which what is near in meaning is said to be near: chance is 0.5."""

_SAME = 1 - 1e-5
"""Cosine from which two texts are one to the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TriedAnalogy:
    """A sum, and where the expected word came.

    Args:
        text: The sum.
        expected: The word that it is to lead to.
        rank: From 1, without the words of the sum; of words as near, the last place.
        words: How many there were to choose from.
        first: The nearest word; if others are as near as the expected one, one of them.
    """

    text: str
    expected: str
    rank: int
    words: int
    first: str

    @property
    def holds(self) -> bool:
        """Whether the expected word is the nearest."""
        return self.rank == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What came of trying the probes.

    Args:
        nearer: In how many comparisons a word was nearer to its relative than to another's.
        comparisons: How many there were.
        ewe: Cosine of a sheep and a ewe; None if the model does not know them.
        motorcycle: Cosine of a sheep and a motorcycle; likewise.
        analogies: Those that could be tried.
        same: Probes that are one to the model; they count nowhere.
        unknown: Probes that say nothing to the model.
    """

    nearer: int
    comparisons: int
    ewe: float | None
    motorcycle: float | None
    analogies: tuple[TriedAnalogy, ...]
    same: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


def check_geometry(atlas: Atlas, words: Sequence[str]) -> Check:
    """Try all probes that a model knows.

    Args:
        atlas: Has them.
        words: To choose from, besides the words that are expected and their like.
    """
    known = [pair for pair in PAIRS if all(text in atlas.rows for text in pair)]
    same = [pair for pair in known if atlas.cosine(*pair) >= _SAME]
    tried = [pair for pair in known if pair not in same]
    nearer = comparisons = 0
    for word, relative in tried:
        own = atlas.cosine(word, relative)
        others = [other for _, other in tried if other != relative]
        comparisons += len(others)
        nearer += sum(own > atlas.cosine(word, other) for other in others)
    expected_words = [expected for _, expected in ANALOGIES]
    candidates = tuple(dict.fromkeys((*words, *expected_words, *_DECOYS)))
    sheep = [
        atlas.cosine(_SHEEP, each) if {_SHEEP, each} <= atlas.rows.keys() else None
        for each in (_EWE, _MOTORCYCLE)
    ]
    return Check(
        nearer=nearer,
        comparisons=comparisons,
        ewe=sheep[0],
        motorcycle=sheep[1],
        analogies=tuple(
            _tried(atlas, analogy, expected, candidates)
            for analogy, expected in ANALOGIES
            if _can_try(atlas, analogy, expected)
        ),
        same=tuple(same),
        unknown=tuple(dict.fromkeys(text for text in PROBES if text not in atlas.rows)),
    )


def _can_try(atlas: Atlas, analogy: Analogy, expected: str) -> bool:
    """Return whether the model knows all words of a sum, and no two are one to it."""
    texts = [*(term.text for term in analogy.terms), expected]
    return all(text in atlas.rows for text in texts) and all(
        atlas.cosine(*pair) < _SAME for pair in combinations(texts, 2)
    )


def _tried(atlas: Atlas, analogy: Analogy, expected: str, words: Sequence[str]) -> TriedAnalogy:
    terms = [term.text for term in analogy.terms]
    ranked = atlas.ranked(atlas.sum_of(analogy), words, without=terms)
    own = next(near for near in ranked if near.text == expected)
    rank = sum(near.cosine >= own.cosine for near in ranked)
    others = [near for near in ranked if near != own]
    return TriedAnalogy(
        text=analogy.text,
        expected=expected,
        rank=rank,
        words=len(ranked),
        first=(own if rank == 1 else others[0]).text,
    )


def describe_check(check: Check) -> list[str]:
    """Say in sentences what the numbers show, and what they do not."""
    return [*filter(None, (_on_pairs(check), _on_sheep(check), _on_analogies(check)))]


def _on_pairs(check: Check) -> str:
    if not check.comparisons:
        return "The model knows too few words to try whether what is near in meaning is near here."
    share = check.nearer / check.comparisons
    verdict = "is not reliably near here"
    if share >= _CLEARLY:
        verdict = "is near here"
    elif share >= _MOSTLY:
        verdict = "is mostly near here"
    return (
        f"What is near in meaning {verdict}: in {check.nearer} of "
        f"{plural(check.comparisons, 'comparison')} a word is nearer to its relative than to "
        f"another's (by chance in {check.comparisons / 2:.0f})."
    )


def _on_sheep(check: Check) -> str:
    if check.ewe is None or check.motorcycle is None:
        return ""
    distances = f"{1 - check.ewe:.2f} and {1 - check.motorcycle:.2f}"
    if check.ewe >= _SAME:
        return (
            f"To this model {_SHEEP} and {_EWE} are the same; {_MOTORCYCLE} is "
            f"{1 - check.motorcycle:.2f} away."
        )
    if check.ewe > check.motorcycle:
        return f"{_SHEEP.capitalize()} is nearer to {_EWE} than to {_MOTORCYCLE}: {distances}."
    return f"{_SHEEP.capitalize()} is not nearer to {_EWE} than to {_MOTORCYCLE}: {distances}."


def _on_analogies(check: Check) -> str:
    if not check.analogies:
        return "The model knows too few words to try analogies such as king - man + woman."
    sentences = []
    first = next((each for each in check.analogies if each.expected == "queen"), None)
    if first is not None and first.holds:
        sentences.append(f"{first.text} leads to {first.expected}.")
    elif first is not None:
        sentences.append(
            f"{first.text} does not lead to {first.expected} but to {first.first}; "
            f"{first.expected} is number {first.rank:,} of {plural(first.words, 'word')}."
        )
    held = sum(each.holds for each in check.analogies)
    tried = len(check.analogies)
    sentences.append(f"Analogies tried: {tried}; leading to the word expected: {held}.")
    return " ".join(sentences)
