"""Puts words that say nothing where people put them: before nouns, behind them, first and last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["with_fillers"]

FILLED_RATE = 0.35
"""How many prompts hold words that say nothing."""

FILLINGS = (1, 1, 1, 2, 2, 3)
"""At how many places these hold some."""

ARTICLES = re.compile(r"\b(an?|the|one)\b", re.IGNORECASE)

BEHIND_NOUNS = re.compile(
    r"(?<=\w)(?= (?:in|on|at|by|near|next|beside|with|and|that|wearing|riding|holding|carrying)\b)",
    re.IGNORECASE,
)

ENDINGS = (
    " {0}",
    " {0}",
    " {0}ing",
    " {0} {1}",
    ", {0}",
    ", {0} {1}, {2}",
    " in the {0}",
    " in a {0} {1}",
    " with a {0}",
    " with {0} {1}",
    " of {0}",
    " for {0}",
    " and a {0}",
    " {0} in the {1}",
    " {0} a {1}",
    " {0} on the {1}",
)
"""How prompts go on behind all that they tell; each number is a word that says nothing. Few words
in "ing" are among those, and what is said behind things often ends so."""

DOINGS = (
    "with", "and", "holding", "riding", "wearing", "eating", "looking at", "next to", "playing with"
)  # fmt: skip
"""What somebody who cannot be drawn does with a thing that can."""

PRAISE = (
    "highly detailed", "masterpiece", "best quality", "8k", "4k", "hd", "photorealistic",
    "ultra realistic", "cinematic lighting", "trending on artstation", "digital art",
    "concept art", "unreal engine", "octane render", "sharp focus", "award winning",
)  # fmt: skip
"""What people add who know other models."""


def with_fillers(rng: random.Random, prompt: str, words: Sequence[str]) -> str:
    """Return the prompt, or now and then one with words at some places that say nothing.

    Args:
        rng: Chooses.
        prompt: What is told.
        words: Those that say nothing, one at least.
    """
    if rng.random() < FILLED_RATE:
        for _ in range(rng.choice(FILLINGS)):
            prompt = _filled(rng, prompt, rng.choices(words, k=3))
    return prompt


def _filled(rng: random.Random, prompt: str, words: Sequence[str]) -> str:
    """Put some of three words, or praise, at one place."""
    choice = rng.random()
    if choice < 0.3 and (places := [*ARTICLES.finditer(prompt)]):
        at = rng.choice(places).end()
        return f"{prompt[:at]} {words[0]}{prompt[at:]}"
    if choice < 0.5 and (places := [*BEHIND_NOUNS.finditer(prompt)]):
        at = rng.choice(places).start()
        return f"{prompt[:at]} {words[0]}{prompt[at:]}"
    if choice < 0.55:
        return f"{words[0]} {prompt}"
    if choice < 0.65 and ARTICLES.match(prompt):
        return f"a {words[0]} {rng.choice(DOINGS)} {prompt}"
    if choice < 0.75:
        return f"{prompt.rstrip('.')}, {', '.join(rng.sample(PRAISE, rng.randint(1, 3)))}"
    return prompt.rstrip(".") + rng.choice(ENDINGS).format(*words)
