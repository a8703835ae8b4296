"""What a model makes of a prompt: how much of it is read, and what is understood.

A model whose text encoder takes any text gives lengths alone. One that parses prompts also says
what it will generate, and which words it has no use for.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Correction", "PromptReading", "UnusedWord"]


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
        limit: Tokens that the model reads, special tokens included.
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
