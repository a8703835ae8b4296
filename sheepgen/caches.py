"""What a transformer reuses from one step to the next, as it is written: ``first-block:0.05``.

Steps that are alike cost less then, and the image changes. ``first-block`` runs the first block
alone, and reuses what the others added if it changed by less than this share
(https://github.com/chengzeyi/ParaAttention). ``taylorseer`` computes attention once in so many
steps, and extrapolates in between (https://arxiv.org/abs/2503.06923).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CACHES", "FIRST_BLOCK", "NO_CACHE", "TAYLORSEER", "Cache", "canonical_cache"]

NO_CACHE = "none"
FIRST_BLOCK = "first-block"
TAYLORSEER = "taylorseer"

_NUMBER = r"[0-9]{1,4}(\.[0-9]{0,4})?|\.[0-9]{1,4}"
_TEXT = re.compile(rf"([a-z-]{{1,20}})(?::({_NUMBER}))?")


class _Number(NamedTuple):
    """The number of a cache: what it is called, its default and its range."""

    label: str
    default: float
    low: float
    high: float


CACHES: Mapping[str, _Number] = MappingProxyType(
    {
        FIRST_BLOCK: _Number("threshold", 0.05, 0, 1),
        TAYLORSEER: _Number("interval", 5.0, 1, 100),
    }
)
"""By name. The least number is exact: nothing is reused."""


class Cache(NamedTuple):
    """One of `CACHES` with its number."""

    name: str
    number: float

    def __str__(self) -> str:
        """Return what `parse` reads, in its canonical form."""
        return f"{self.name}:{self.number:g}"

    @staticmethod
    def parse(text: str) -> Cache | None:
        """Read ``NAME:NUMBER``, or ``NAME`` with the default number; None for ``none``.

        Raises:
            UsageError: If it looks otherwise, or the number is out of its range.
        """
        if text == NO_CACHE:
            return None
        match = _TEXT.fullmatch(text)
        if match is None or match[1] not in CACHES:
            known = (NO_CACHE, *(f"{name}[:{each.label.upper()}]" for name, each in CACHES.items()))
            raise UsageError(f'Unknown cache "{excerpt(text)}".', f"Known: {', '.join(known)}.")
        name, (label, default, low, high) = match[1], CACHES[match[1]]
        number = default if match[2] is None else float(match[2])
        if not low <= number <= high:
            raise UsageError(
                f"The {label} of {name} must be between {low:g} and {high:g}, got {number:g}."
            )
        if name == TAYLORSEER and not number.is_integer():
            raise UsageError(f"The {label} of {name} must be a whole number, got {number:g}.")
        return Cache(name, number)


def canonical_cache(text: str) -> str:
    """Return the canonical form of what `Cache.parse` reads.

    Raises:
        UsageError: If it looks otherwise, or the number is out of its range.
    """
    return str(Cache.parse(text) or NO_CACHE)
