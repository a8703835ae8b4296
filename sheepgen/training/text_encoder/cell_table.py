"""Measures what drawings look like: the table of cells that conditioning tokens are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sheepgen.embedded.memory_tokens import ALONE_SIDE, COMPANION_SIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from diffusers import AutoencoderTiny

__all__ = ["OPACITIES", "CellTable", "fit_mirror", "measure_cells"]

CELL = 8
"""Pixels a side of a cell, as of what a latent stands for."""

OPACITIES = 4
"""Numbers of its opacity: the mean, and how it differs down, across and diagonally."""

LARGEST = 127

_BUFFERS = ("cells", "cell_scale", "cells_present", "first_cells", "mirror")
"""What a `SceneTextEncoder` calls the fields of a `CellTable`."""


def measure_cells(pictures: Iterable[Image.Image], vae: AutoencoderTiny) -> Tensor:
    """Return the cells of drawings, (drawings, `CELLS_A_DRAWING`, latent channels + `OPACITIES`).

    Args:
        pictures: The drawings, RGBA, trimmed to what is not transparent, as scenes show them.
        vae: Its encoder is linear: what is transparent adds nothing to a latent.
    """
    return torch.stack([_cells_of(picture, vae) for picture in pictures])


@torch.inference_mode()
def _cells_of(picture: Image.Image, vae: AutoencoderTiny) -> Tensor:
    cells = []
    for side in (COMPANION_SIDE, ALONE_SIDE):
        colour, opacity = _premultiplied(picture, side * CELL)
        both = torch.stack([colour, torch.zeros_like(colour)]).to(vae.device)
        latent, nothing = vae.encode(both).latents.cpu() * vae.config.scaling_factor
        opacities = functional.conv2d(opacity[None], _opacity_waves()[:, None], stride=CELL)[0]
        cells.append(torch.cat([latent - nothing, opacities]).flatten(1).T)
    return torch.cat(cells)


def fit_mirror(pictures: Iterable[Image.Image], vae: AutoencoderTiny) -> Tensor:
    """Return the matrix that a cell is multiplied by to be mirrored, (numbers, numbers).

    ``mirrored cell = cell @ matrix`` is a least-squares fit over pictures and their mirror images:
    no matrix mirrors the VAE's latents exactly.

    Args:
        pictures: As for `measure_cells`; a few hundred are enough.
        vae: Likewise.
    """
    shown = [*pictures]
    cells = measure_cells(shown, vae)[:, COMPANION_SIDE**2 :]
    turned = (picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in shown)
    wanted = measure_cells(turned, vae)[:, COMPANION_SIDE**2 :]
    wanted = wanted.unflatten(1, (ALONE_SIDE, ALONE_SIDE)).flip(2)
    matrix: Tensor = torch.linalg.lstsq(cells.flatten(0, 1), wanted.flatten(0, 2)).solution
    return matrix


def _premultiplied(picture: Image.Image, side: int) -> tuple[Tensor, Tensor]:
    """Return colours in [-1, 1] times opacity, (3, side, side), and opacity, (1, side, side).

    The drawing stands in the middle of the lower edge of a square.
    """
    factor = side / max(picture.size)
    left = round((side - picture.width * factor) / 2)
    width, height = (max(1, round(length * factor)) for length in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    square = Image.new("RGBA", (side, side))
    square.paste(picture, (left, side - height))
    pixels = torch.from_numpy(np.asarray(square, np.float32) / 255).permute(2, 0, 1)
    opacity = pixels[3:]
    return (2 * pixels[:3] - 1) * opacity, opacity


def _opacity_waves() -> Tensor:
    """Return what opacity is measured with, (`OPACITIES`, `CELL`, `CELL`)."""
    rows, columns = torch.meshgrid(*[torch.linspace(-1, 1, CELL)] * 2, indexing="ij")
    waves = torch.stack([torch.ones_like(rows), rows, columns, rows * columns])
    return 2 * waves / waves.square().mean((1, 2), keepdim=True).sqrt() / CELL**2


@dataclass(frozen=True, slots=True)
class CellTable:
    """Cells as the text encoder stores them: a byte a number, and none for empty cells.

    Args:
        cells: Those that are not empty, in order, (cells, numbers), int8.
        scale: What to multiply them by, (numbers,).
        present: Which of a drawing's cells are not empty, (drawings, `CELLS_A_DRAWING` / 8), uint8:
            eight cells a byte, the first in its lowest bit.
        first: Where each drawing begins among the cells, (drawings,), int64; some may share cells.
        mirror: What a cell is multiplied by to be mirrored, (numbers, numbers), float32.
    """

    cells: Tensor
    scale: Tensor
    present: Tensor
    first: Tensor
    mirror: Tensor

    @classmethod
    def of(
        cls, cells: Tensor, which: Sequence[int] | None = None, mirror: Tensor | None = None
    ) -> CellTable:
        """Round cells and leave out empty ones.

        Args:
            cells: (pictures, `CELLS_A_DRAWING`, numbers), float.
            which: The picture of each drawing, if several drawings share one.
            mirror: See `fit_mirror`; by default the identity.
        """
        rows = torch.arange(len(cells)) if which is None else torch.tensor(which)
        scale = cells.abs().amax((0, 1)).clamp(min=1e-6) / LARGEST
        rounded = (cells / scale).round().to(torch.int8)
        present = (rounded != 0).any(-1)
        counts = present.sum(1)
        bits = present.unflatten(1, (-1, 8)).to(torch.uint8) << torch.arange(8, dtype=torch.uint8)
        return cls(
            cells=rounded[present],
            scale=scale,
            present=bits.sum(-1, dtype=torch.uint8)[rows],
            first=(counts.cumsum(0) - counts)[rows],
            mirror=torch.eye(len(scale)) if mirror is None else mirror,
        )

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> CellTable:
        """Return what `state` gave."""
        return cls(*(state[name] for name in _BUFFERS))

    def state(self) -> dict[str, Tensor]:
        """Return the buffers of a `SceneTextEncoder`, by name."""
        values = (self.cells, self.scale, self.present, self.first, self.mirror)
        return dict(zip(_BUFFERS, values, strict=True))
