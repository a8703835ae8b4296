"""Hidden units of a perceptron, set by hand: switches, and numbers that pass only when switched on.

GELU is zero far below zero, and leaves what is far above as it is. So two units that are one apart
make a switch, which is 0 or 1 but for a narrow range. And a number passes if it is lifted far above
zero; a further unit, which is lifted and reads nothing, takes the lift away behind.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FAR", "Units"]

FAR = 6.0
"""How far from zero is far: there GELU is off by less than 1e-8."""


class Units:
    """Units, collected.

    Args:
        width: Numbers of a state.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._reads: list[Tensor] = []
        self._biases: list[Tensor] = []
        self._writes: list[Tensor] = []

    def __len__(self) -> int:
        return sum(map(len, self._biases))

    def add(self, reads: Tensor, biases: Tensor, writes: Tensor) -> None:
        """Add units that add GELU(reads of the state + biases) times writes to it.

        Args:
            reads: (units, width).
            biases: (units,).
            writes: (units, width).
        """
        self._reads.append(reads)
        self._biases.append(biases)
        self._writes.append(writes)

    def add_switches(self, reads: Tensor, biases: Tensor, writes: Tensor) -> None:
        """Add what adds writes where reads of the state + biases is above zero."""
        self.add(reads, biases + 0.5, writes)
        self.add(reads, biases - 0.5, -writes)

    def add_gated(
        self, reads: Tensor, writes: Tensor, *, gate: Tensor, needed: int, most: float
    ) -> None:
        """Add what adds reads of the state times writes to it, but only where a gate is open.

        Args:
            reads: (units, width).
            writes: (units, width).
            gate: (width,): it is open where its product with the state is ``needed``, and shut
                where that is one or more less.
            needed: What it is where it is open.
            most: What no number is beyond that is read, wherever that is.
        """
        lift = float(math.ceil(most + FAR))
        lifted = torch.cat([reads, torch.zeros(1, self.width)]) + 2 * lift * gate
        biases = torch.full((len(lifted),), -lift * (2 * needed - 1))
        self.add(lifted, biases, torch.cat([writes, -writes.sum(0, keepdim=True)]))

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return reads, (units, width), biases, (units,), and writes, (width, units)."""
        return torch.cat(self._reads), torch.cat(self._biases), torch.cat(self._writes).T
