"""A blend of prompts, as it is written: ``a king:1, a man:-1, a woman:1``.

Prompts stand between commas, each with its weight after a colon, 1 if there is none. A prompt with
a comma or a colon of its own is in double quotes, as in a CSV file, where two stand for one:
``"a cat, asleep":0.5, a dog:0.5``.

What a model sees is the weighted sum of what its text encoders make of the prompts
(`sheepgen.pipeline.weighted_sum`). The weights are not normalised: models know sums of 1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MAX_PROMPTS",
    "MAX_WEIGHT",
    "WeightedPrompt",
    "blend_to_text",
    "blend_to_words",
    "parse_blend",
]

MAX_PROMPTS = 32
"""Most prompts of one blend; each is encoded by itself."""

MAX_WEIGHT = 10
"""Largest weight, in either direction."""

# The quantifiers are possessive: what does not match is given up in one go.
_TERM = re.compile(r'\s*+(?:"((?:[^"]|"")*+)"\s*+(?::([^,]*+))?+|([^",][^,]*+|))(,|\Z)')
_WEIGHT = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{0,6})?|\.\d{1,6})", re.ASCII)


class WeightedPrompt(NamedTuple):
    """A prompt, and how much of it there is in a blend."""

    text: str
    weight: float = 1.0


def parse_blend(text: str) -> tuple[WeightedPrompt, ...]:
    """Read a blend.

    Args:
        text: As written.

    Returns:
        1 to `MAX_PROMPTS` prompts in their order, none of them blank, with weights other than 0.

    Raises:
        UsageError: If it is not such a list.
    """
    prompts = tuple(_prompts(text))
    if len(prompts) > MAX_PROMPTS:
        raise UsageError(f"A blend has at most {MAX_PROMPTS} prompts, got {len(prompts)}.")
    return prompts


def _prompts(text: str) -> Iterator[WeightedPrompt]:
    at, more = 0, True
    while more:
        match = _TERM.match(text, at)
        if match is None:
            raise UsageError(
                f"A quote in the blend is not closed, or text follows it: {excerpt(text[at:])}",
                'Write "a cat, asleep":0.5, a dog:0.5, and two quotes for a quote in a prompt.',
            )
        quoted, written, plain, end = match.groups()
        if quoted is None:
            prompt, colon, written = plain.partition(":")
            written = written if colon else None
        else:
            prompt = quoted.replace('""', '"')
        if not prompt.strip():
            raise UsageError(
                "A prompt of the blend is empty.", 'Write "a king:1, a man:-1, a woman:1".'
            )
        yield WeightedPrompt(prompt.strip(), _weight(written, prompt))
        at, more = match.end(), end == ","


def _weight(written: str | None, prompt: str) -> float:
    if written is None:
        return 1.0
    if not _WEIGHT.fullmatch(written.strip()):
        raise UsageError(
            f'The weight of "{excerpt(prompt.strip(), 40)}" must be a number of at most six '
            f'decimals, got "{excerpt(written.strip(), 40)}".',
            "A prompt with a colon or a comma of its own goes in double quotes.",
        )
    weight = float(written)
    if not 0 < abs(weight) <= MAX_WEIGHT:
        raise UsageError(
            f'The weight of "{excerpt(prompt.strip(), 40)}" must be between -{MAX_WEIGHT} and '
            f"{MAX_WEIGHT}, and not 0; got {weight:g}."
        )
    return weight


def blend_to_text(prompts: Iterable[WeightedPrompt]) -> str:
    """Return what `parse_blend` reads, in its canonical form."""
    return ", ".join(f"{_quoted(prompt)}:{_shortest(weight)}" for prompt, weight in prompts)


def blend_to_words(prompts: Iterable[WeightedPrompt]) -> str:
    """Return a blend as a sum: ``a king - a man + a woman``, ``0.25 a sheep + 0.75 a goat``."""
    words = ""
    for prompt, weight in prompts:
        sign = "- " if weight < 0 else "+ " if words else ""
        times = "" if abs(weight) == 1 else f"{_shortest(abs(weight))} "
        words += f"{' ' if words else ''}{sign}{times}{prompt}"
    return words


def _quoted(prompt: str) -> str:
    if not set(prompt) & set(',:"'):
        return prompt
    doubled = prompt.replace('"', '""')
    return f'"{doubled}"'


def _shortest(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
