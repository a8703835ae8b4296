"""What a model makes of a prompt: how much of it is read, and what is understood.

A model whose text encoder takes any text gives lengths alone. One that parses prompts also says
what it will generate, and which words it has no use for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from sheepgen.blend import WeightedPrompt, blend_to_words
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Correction",
    "PromptReading",
    "UnusedWord",
    "add_readings",
    "describe_reading",
    "describe_words",
]

_MAX_SCENE = 200
_MAX_SHOWN = 40
"""Characters of one word."""

_MAX_LISTED = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class UnusedWord:
    """A word, or a phrase, that changes nothing in the image.

    Args:
        word: As typed.
        suggestion: The nearest name that the model knows; empty if none is near.
    """

    word: str
    suggestion: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """A word that was read as another one.

    Args:
        typed: As typed.
        read: The name that it was taken for.
    """

    typed: str
    read: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptReading:
    """What a model makes of a text.

    Args:
        tokens: In the whole text, special tokens included.
        limit: Tokens that the model reads, special tokens included; 0 if it reads no prompt.
        truncated: Words after the limit.
        understood: What will be generated, in words: ``two cats at night``. Empty if nothing was
            understood; None if the model does not parse prompts.
        unused: Words without effect, in order; polite and empty words do not count.
        corrected: Words that were taken for another one, in order.
    """

    tokens: int
    limit: int
    truncated: tuple[str, ...] = ()
    understood: str | None = None
    unused: tuple[UnusedWord, ...] = ()
    corrected: tuple[Correction, ...] = ()


def add_readings(readings: Sequence[PromptReading], weights: Sequence[float]) -> PromptReading:
    """Return what a model makes of a blend, given what it makes of each of its prompts.

    Args:
        readings: Of the prompts, at least one.
        weights: Of each.

    Returns:
        With the tokens of the longest prompt, and words of all.
    """
    if len(readings) == 1:
        return readings[0]
    scenes = [each.understood for each in readings if each.understood is not None]
    return PromptReading(
        tokens=max(each.tokens for each in readings),
        limit=readings[0].limit,
        truncated=tuple(chain.from_iterable(each.truncated for each in readings)),
        understood=blend_to_words(map(WeightedPrompt, scenes, weights)) if scenes else None,
        unused=tuple(chain.from_iterable(each.unused for each in readings)),
        corrected=tuple(chain.from_iterable(each.corrected for each in readings)),
    )


def describe_words(unused: Sequence[UnusedWord], corrected: Sequence[Correction]) -> str:
    """Return sentences on words without effect and on those read as others, of many the first."""
    left_out = [f'"{excerpt(each.word, _MAX_SHOWN)}"{_suggested(each)}' for each in unused]
    swapped = [
        f'"{excerpt(each.typed, _MAX_SHOWN)}" as "{excerpt(each.read, _MAX_SHOWN)}"'
        for each in corrected
    ]
    sentences = [
        f"{verb} {', '.join(first_of([*dict.fromkeys(words)], _MAX_LISTED))}."
        for verb, words in (("Not used:", left_out), ("Read", swapped))
        if words
    ]
    return " ".join(sentences)


def describe_reading(
    understood: str, unused: Sequence[UnusedWord], corrected: Sequence[Correction]
) -> str:
    """Say in one line what was understood of a prompt, and what was not.

    Args:
        understood: As in `PromptReading`, but not None.
        unused: As in `PromptReading`.
        corrected: As in `PromptReading`.
    """
    scene = excerpt(understood, _MAX_SCENE)
    first = f"understood as: {scene}." if scene else "not understood."
    return f"{first} {describe_words(unused, corrected)}".rstrip()


def _suggested(word: UnusedWord) -> str:
    return f' (did you mean "{excerpt(word.suggestion, _MAX_SHOWN)}"?)' if word.suggestion else ""
