"""Latents as a sequence of patches, as transformers take them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["pack", "positions", "unpack"]

_SIDE = 2


def pack(latents: Tensor) -> Tensor:
    """Return patches of two by two, row by row.

    Args:
        latents: (batch, channels, height, width).

    Returns:
        (batch, height / 2 * width / 2, channels * 4).
    """
    return pixel_unshuffle(latents, _SIDE).flatten(2).transpose(1, 2)


def unpack(patches: Tensor, height: int, width: int) -> Tensor:
    """Undo `pack`.

    Args:
        patches: (batch, height / 2 * width / 2, channels * 4).
        height: Of the latents.
        width: Likewise.
    """
    batch, _, channels = patches.shape
    grid = patches.transpose(1, 2).reshape(batch, channels, height // _SIDE, width // _SIDE)
    return pixel_shuffle(grid, _SIDE)


def positions(height: int, width: int, device: torch.device) -> Tensor:
    """Return where the patches of latents are, (patches, 3): zero, row and column.

    Args:
        height: Of the latents.
        width: Likewise.
        device: Where they are wanted: made there, no step waits for a copy.
    """
    counted = (torch.arange(each, device=device) for each in (1, height // _SIDE, width // _SIDE))
    return torch.cartesian_prod(*counted)
