"""What many measurements say together."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Spread", "psnr", "ratios", "spread"]


class Spread(NamedTuple):
    """The middle of some numbers, and how far they lie apart."""

    median: float
    low: float
    high: float


def spread(numbers: Sequence[float]) -> Spread:
    """Return the median, the least and the greatest."""
    return Spread(median(numbers), min(numbers), max(numbers))


def ratios(own: Sequence[float], peer: Sequence[float]) -> Spread:
    """Return how long one took compared with another, round by round.

    What slows the machine down for a while slows both in the same round, and cancels out.
    """
    return spread([mine / theirs for mine, theirs in zip(own, peer, strict=True)])


def psnr(path: Path, reference: Path) -> float | None:
    """Return the peak signal-to-noise ratio of two pictures in dB.

    It is infinity for equal ones, and None for those of different sizes.
    """
    import math

    from PIL import Image, ImageChops, ImageStat

    with Image.open(path) as first, Image.open(reference) as second:
        if first.size != second.size:
            return None
        difference = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
    squares = ImageStat.Stat(difference).sum2
    mean = sum(squares) / (len(squares) * difference.width * difference.height)
    return 10 * math.log10(255**2 / mean) if mean else math.inf
