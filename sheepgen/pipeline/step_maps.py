"""Maps of all steps of a run, kept in bounded memory however many steps it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["StepMaps"]

MAX_KEPT = 64
"""Maps that are kept of a run, however many steps it takes: then each is the mean of several."""


class StepMaps:
    """Maps of all steps, in bounded memory: with more than `MAX_KEPT`, of two, four, … steps each.

    Once there are too many, each two neighbours become their mean.
    """

    def __init__(self) -> None:
        self._sums: list[Tensor] = []
        self._counts: list[int] = []
        self._each = 1

    def append(self, maps: Tensor) -> None:
        """Add the maps of the next step."""
        if self._counts and self._counts[-1] < self._each:
            self._sums[-1] = self._sums[-1] + maps
            self._counts[-1] += 1
            return
        if len(self._sums) == MAX_KEPT:
            self._sums = [sum(self._sums[at : at + 2]) for at in range(0, MAX_KEPT, 2)]  # type: ignore[misc]
            self._counts = [sum(self._counts[at : at + 2]) for at in range(0, MAX_KEPT, 2)]
            self._each *= 2
        self._sums.append(maps)
        self._counts.append(1)

    def __len__(self) -> int:
        return sum(self._counts)

    def __getitem__(self, step: int) -> Tensor:
        """Return the maps of a step, from 0, or of it and those around it."""
        if not 0 <= step < len(self):
            raise IndexError(step)
        kept = step // self._each
        return self._sums[kept] / self._counts[kept]

    def mean(self) -> Tensor:
        """Return the mean of all steps."""
        total: Tensor = torch.stack(self._sums).sum(0)
        return total / len(self)
