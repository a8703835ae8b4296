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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_SIDE
from sheepgen.sanitize import plural
from sheepgen.schedulers import steps_taken

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UPSCALER", "Hires", "canonical_hires", "parse_hires", "resolve_hires"]

UPSCALER = "Lanczos"

_OFF = "none"
"""The word for a single pass; a request stores an empty text instead."""

_MAX_SCALE = 4
"""Beyond this, Lanczos leaves so little of the image that the model invents the rest."""

_DEFAULT_STRENGTH = 0.5
"""Less than the web UI's 0.7, which upscaled latents need to become sharp; see above."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hires:
    """A second pass.

    Args:
        scale: Of its sides to those of the first pass: above 1, at most 4.
        strength: Share of noise that the upscaled image is given, and of the steps that are taken:
            above 0, at most 1.
    """

    scale: float
    strength: float

    def __str__(self) -> str:
        """Return what `parse_hires` reads, in its canonical form."""
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
    """Read ``2:0.5``, or ``2`` with the default strength; None for a single pass.

    Raises:
        UsageError: If it looks otherwise, or a number is out of its range.
    """
    FIELDS["hires"].check(text)
    if text in ("", _OFF):
        return None
    first, _, second = text.partition(":")
    scale, strength = float(first), float(second or _DEFAULT_STRENGTH)
    if not 1 < scale <= _MAX_SCALE:
        raise UsageError(
            f"The scale of hires must be above 1 and at most {_MAX_SCALE}, got {scale:g}."
        )
    if not 0 < strength <= 1:
        raise UsageError(f"The strength of hires must be above 0 and at most 1, got {strength:g}.")
    return Hires(scale=scale, strength=strength)


def canonical_hires(text: str) -> str:
    """Return the canonical form of what `parse_hires` reads; empty for no second pass."""
    return str(parse_hires(text) or "")


def resolve_hires(
    values: Mapping[str, Any], multiple: int, longest: int = MAX_SIDE
) -> dict[str, int]:
    """Return the size of the second pass, as `sheepgen.resolved_request.ResolvedRequest` has it.

    Args:
        values: A request's, by the names of its fields, with its model's where it leaves them open.
        multiple: Of the model; sides must be multiples of it.
        longest: Its longest side, in pixels.

    Raises:
        UsageError: If it is too large, as large as the first, or has no step.
    """
    hires = parse_hires(values["hires"])
    if hires is None:
        return {}
    width, height, steps = (values[name] for name in ("width", "height", "num_inference_steps"))
    wide, high = hires.size(width, height, multiple)
    enlarged = f"hires {_shortest(hires.scale)} of {width}x{height} pixels is {wide}x{high}"
    if max(wide, high) > longest:
        raise UsageError(
            f"{enlarged}, more than {longest} a side.", "Give a smaller scale, or a smaller size."
        )
    if (wide, high) == (width, height):
        raise UsageError(
            f"{enlarged} again: sides are rounded to multiples of {multiple}.",
            "Give a larger scale.",
        )
    if not steps_taken(steps, hires.strength):
        raise UsageError(
            f"hires strength {_shortest(hires.strength)} of {plural(steps, 'step')} is less than "
            "one step.",
            "Increase one of them; strength 1 takes all steps.",
        )
    return {"hires_width": wide, "hires_height": high}


def _shortest(number: float) -> str:
    return f"{number:.4f}".rstrip("0").rstrip(".")
