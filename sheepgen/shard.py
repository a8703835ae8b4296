"""Shares of a plan for processes that know nothing of each other: ``--shard``.

    --shard 3/8     the third of eight shards
    --shard auto    the shard of this task of a SLURM array

An image belongs to a shard by its key alone, whatever else is planned and in whatever order. So the
shards of a plan are disjoint and make up all of it, and images of every prompt and model are spread
over all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["AUTO", "MAX_SHARDS", "Shard", "parse_shard", "share_sizes"]

AUTO = "auto"

MAX_SHARDS = 10_000

_SHARD = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_KEY_DIGITS = 15
"""Of the key's 64 hexadecimal ones; more would change nothing."""

_SLURM = "SLURM_ARRAY_TASK_"
_NEEDED = ("ID", "COUNT", "MIN")
"""What SLURM tells each task of an array: its number, how many tasks there are, the first number
(https://slurm.schedmd.com/job_array.html). The last number, or else the step between two, is read
if it is there."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shares of a plan.

    Args:
        number: Which one, from 1 to ``count``.
        count: How many there are, 1 to `MAX_SHARDS`.

    Raises:
        UsageError: If one of them is out of its range.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.count <= MAX_SHARDS:
            raise UsageError(
                f"The number of shards must be between 1 and {MAX_SHARDS:,}, got {self.count}."
            )
        if not 1 <= self.number <= self.count:
            raise UsageError(
                f"The shard must be between 1 and {self.count}, got {self.number}.",
                f"Shards count from 1: --shard 1/{self.count} is the first.",
            )

    def __str__(self) -> str:
        """Return it as file names have it: ``3-of-8``."""
        return f"{self.number}-of-{self.count}"

    def has(self, key: str) -> bool:
        """Check whether an image is of this shard, by its `sheepgen.execution.image_key`."""
        return _shard_of(key, self.count) == self.number

    def answers_for(self, line: int) -> bool:
        """Check whether this shard is the one that reports a line which is not an image."""
        return line % self.count + 1 == self.number


def share_sizes(keys: Iterable[str], count: int) -> tuple[int, ...]:
    """Return how many of the images each of ``count`` shards has."""
    sizes = Counter(_shard_of(key, count) for key in keys)
    return tuple(sizes[number] for number in range(1, count + 1))


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """Parse ``I/N``, or find out with ``auto`` which task of a SLURM array this is.

    Args:
        text: As typed.
        environment: The variables of this process.

    Raises:
        UsageError: If it is neither, or a variable that ``auto`` reads is missing or makes no
            sense.
    """
    if text == AUTO:
        return _slurm_shard(environment)
    match = _SHARD.fullmatch(text)
    if match is None:
        raise UsageError(
            f'--shard must be I/N or auto, got "{excerpt(text)}".',
            "For example: --shard 1/8 for the first of eight shards.",
        )
    return Shard(int(match[1]), int(match[2]))


def _slurm_shard(environment: Mapping[str, str]) -> Shard:
    missing = [_SLURM + name for name in _NEEDED if not environment.get(_SLURM + name)]
    if missing:
        raise UsageError(
            f"--shard auto reads what SLURM sets for each task of an array. Not set: "
            f"{', '.join(missing)}.",
            "Run it with sbatch --array=1-8, or write the shard: --shard 1/8.",
        )
    found = {
        name: _variable(name, environment[_SLURM + name])
        for name in (*_NEEDED, "MAX", "STEP")
        if environment.get(_SLURM + name)
    }
    number, count, first = (found[name] for name in _NEEDED)
    step = found.get("STEP", 1)
    if "MAX" in found and count > 1:
        step = (found["MAX"] - first) // (count - 1)
    place, rest = divmod(number - first, max(1, step))
    if rest or not 0 <= place < count:
        raise UsageError(
            f"The tasks of this SLURM array are not evenly spaced: {number} is none of {count} "
            f"tasks from {first} on in steps of {max(1, step)}.",
            "Use a range, as in sbatch --array=1-8, or write the shard: --shard 1/8.",
        )
    return Shard(place + 1, count)


def _variable(name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise UsageError(f'{_SLURM}{name} must be a whole number, got "{excerpt(text)}".')
    return int(text)


def _shard_of(key: str, count: int) -> int:
    return int(key[:_KEY_DIGITS], 16) % count + 1
