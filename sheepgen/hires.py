"""A second pass at a larger size, as it is written: ``2:0.5``, a scale and a strength.

A model composes well near the sizes that it was trained at; far above them it shows things several
times. So the first pass makes the image at such a size, and the second denoises it again, upscaled:
what AUTOMATIC1111's web UI calls "hires fix".

The image is upscaled in pixels, by Lanczos, and encoded again. That costs a decoding and an
encoding, but a picture that was upscaled is still a picture, while latents are no longer any that
the model knows: they need much noise to become sharp, which changes the composition.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

__all__ = ["EXAMPLE", "OFF", "PATTERN", "UPSCALER", "Hires", "canonical_hires", "parse_hires"]

OFF = "none"
"""How to say that there is no second pass; a request has an empty text for it."""

EXAMPLE = "2:0.5"

UPSCALER = "Lanczos"

MAX_SCALE = 4
"""Lanczos adds no detail, and beyond this so little of it is left that a model invents the rest."""

DEFAULT_STRENGTH = 0.5
"""Less than the web UI's 0.7, which upscaled latents need to become sharp; see above."""

_NUMBER = r"[0-9]{1,4}(?:\.[0-9]{0,4})?|\.[0-9]{1,4}"

PATTERN = rf"(?:{OFF}|(?:{_NUMBER})(?::(?:{_NUMBER}))?)?"
"""What a text for `parse_hires` looks like."""

_TEXT = re.compile(rf"({_NUMBER})(?::({_NUMBER}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hires:
    """A second pass.

    Args:
        scale: Of its sides to those of the first pass: above 1, at most `MAX_SCALE`.
        strength: Share of noise that the upscaled image is given, and of the steps that are taken:
            above 0, at most 1.
    """

    scale: float
    strength: float

    def __str__(self) -> str:
        """Return what `parse_hires` reads, in the one spelling that requests have."""
        return f"{_shortest(self.scale)}:{_shortest(self.strength)}"

    def size(self, width: int, height: int, multiple: int) -> tuple[int, int]:
        """Return width and height of the second pass in pixels.

        Args:
            width: Of the first pass.
            height: Likewise.
            multiple: Sides are rounded to the nearest multiple of this; halves are rounded up.
        """
        wide, high = (
            math.floor(side * self.scale / multiple + 0.5) * multiple for side in (width, height)
        )
        return wide, high


def parse_hires(text: str) -> Hires | None:
    """Read ``2:0.5``, or ``2`` with the default strength; None if there is no second pass.

    Raises:
        UsageError: If it looks otherwise, or a number is out of its range.
    """
    if text in ("", OFF):
        return None
    match = _TEXT.fullmatch(text)
    if match is None:
        raise UsageError(f'hires must look like {EXAMPLE}, got "{excerpt(text)}".')
    scale = float(match[1])
    strength = DEFAULT_STRENGTH if match[2] is None else float(match[2])
    if not 1 < scale <= MAX_SCALE:
        raise UsageError(
            f"The scale of hires must be above 1 and at most {MAX_SCALE}, got {scale:g}."
        )
    if not 0 < strength <= 1:
        raise UsageError(f"The strength of hires must be above 0 and at most 1, got {strength:g}.")
    return Hires(scale=scale, strength=strength)


def canonical_hires(text: str) -> str:
    """Return the one spelling of a text that `parse_hires` reads; empty for no second pass."""
    return str(parse_hires(text) or "")


def _shortest(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")
