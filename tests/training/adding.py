"""What units, called as a layer calls them, add to states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    import torch

    from sheepgen.training.text_encoder.gates import Units


def added(units: Units, states: torch.Tensor) -> torch.Tensor:
    """Return what units add to states."""
    reads, biases, writes = units.weights()
    assert len(units) == len(biases)
    return functional.linear(functional.gelu(functional.linear(states, reads, biases)), writes)
