"""How far two maps agree, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TOP_SHARE", "Agreement", "agreement", "share_inside"]

TOP_SHARE = 0.2
"""Share of the cells that count as where a map is strongest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How far two maps of the same cells agree.

    Args:
        correlation: Pearson's, -1 to 1; None if one of them is the same everywhere.
        overlap: Of the cells where each is strongest, `TOP_SHARE` of all: how many both share, of
            those that either has (intersection over union). By chance it is about 0.11.
    """

    correlation: float | None
    overlap: float


def agreement(first: Tensor, second: Tensor) -> Agreement:
    """Compare two maps, (rows, columns) both."""
    pair = torch.stack([first.flatten(), second.flatten()]).double()
    varies = bool((pair.amax(1) > pair.amin(1)).all())
    count = max(1, round(TOP_SHARE * pair.shape[1]))
    top = [{*row.topk(count).indices.tolist()} for row in pair]
    return Agreement(
        correlation=float(torch.corrcoef(pair)[0, 1]) if varies else None,
        overlap=len(top[0] & top[1]) / len(top[0] | top[1]),
    )


def share_inside(heat: Tensor, mask: Tensor) -> float:
    """Return the share of a map's mass above its least that lies where a mask is True."""
    mass = heat.double() - heat.min()
    return float(mass[mask].sum() / mass.sum().clamp(min=1e-12))
