"""What things look like, as the numbers that the text encoder tells the U-Net.

A U-Net that is told the name of a thing has to learn its look by heart. Ours is told the look: a
prompt's last tokens, the slots, hold the drawing's own latents, cell by cell. To draw from them is
to copy them to the right place, and that is one skill for all things. So words become what a
picture should show before they become the picture, as in unCLIP (https://arxiv.org/abs/2204.06125).

Things are drawn in two sizes (see `sheepgen.training.data.layout`), and cut into `BLOCKS` by
`BLOCKS` blocks, whose sides are then six cells or four. Both sizes are told from one code:

    code of the drawing  --a map a block-->  code of the block  --a map a cell-->  look of the cell

All of it is linear, and fitted in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from sheepgen.training.data.layout import ALONE, CELLS, COMPANION, is_turned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diffusers import AutoencoderTiny
    from torch import Tensor

    from sheepgen.training.data.icons import IconStore

__all__ = [
    "ALONE_SIDE",
    "BLOCKS",
    "COMPANION_SIDE",
    "Drawing",
    "Looks",
    "look_width",
    "measured_looks",
]

BLOCKS = 4
"""Blocks a side of a drawing."""

ALONE_SIDE = round(ALONE * CELLS)
"""Cells a side of a thing that is alone, ..."""

COMPANION_SIDE = round(COMPANION * CELLS)
"""... and of one that is not."""

CELL = 8
"""Pixels a side of a cell, as of what a latent stands for."""

REFITS = 3
EAGERNESS = 0.35
NEGLIGIBLE = 1e-3
"""How often looks are fitted again, how much more what is missed counts each time, and how little
of it makes no difference."""

OPACITIES = 4
"""Numbers that tell where a cell is opaque: its mean, and how that differs across and down."""


class Drawing(NamedTuple):
    """Which drawing of a thing."""

    style: str
    name: str


def look_width(latent_channels: int) -> int:
    """Return how many numbers a cell's look has."""
    return latent_channels + OPACITIES


@dataclass(frozen=True, slots=True)
class Looks:
    """The drawings' codes, and the maps from there to cells.

    Args:
        codes: (drawings, numbers of a code); of unit variance on average.
        mean: The block codes of the mean drawing, (blocks, numbers of a block's code).
        to_blocks: (blocks, numbers of a code, numbers of a block's code).
        to_alone: The cells of a block, row by row, of a thing alone: (numbers of a block's code,
            cells, numbers of a look).
        to_companion: The same of a thing that is not alone.
    """

    codes: Tensor
    mean: Tensor
    to_blocks: Tensor
    to_alone: Tensor
    to_companion: Tensor

    @classmethod
    def fitted(cls, alone: Tensor, companion: Tensor, *, width: int, block_width: int) -> Looks:
        """Fit the codes and the maps to drawings.

        What the numbers do not suffice for is shared out evenly: a drawing counts for more, the
        more of it is missed. Otherwise most of a bicycle is, which is thin and like nothing else.

        Args:
            alone: Looks, (drawings, blocks, cells of a block, numbers of a look), of things alone.
            companion: The same drawings, smaller.
            width: Numbers of a code, at most.
            block_width: Numbers of a block's code, at most.
        """
        energy = alone.square().sum((1, 2, 3))
        counts = energy.rsqrt() / energy.rsqrt().mean()
        fits = []
        for _ in range(1 + REFITS):
            looks = cls.weighted(alone, companion, counts, width=width, block_width=block_width)
            left = looks.alone(looks.codes) - _in_rows(alone)
            missed = left.square().sum((1, 2)) / energy
            fits.append((missed.max().item(), looks))
            missed = missed + NEGLIGIBLE
            counts = counts * (missed / missed.mean()) ** EAGERNESS
        # Few drawings may be told no better by that.
        return min(fits, key=lambda fit: fit[0])[1]

    @classmethod
    def weighted(
        cls, alone: Tensor, companion: Tensor, counts: Tensor, *, width: int, block_width: int
    ) -> Looks:
        """Fit to drawings of which each counts so much, (drawings,); see `fitted`."""
        drawings, blocks = alone.shape[:2]
        centre = alone.mean(0)
        around = (alone - centre).flatten(1)
        directions = torch.linalg.svd(around * counts[:, None], full_matrices=False).Vh
        directions = directions[: min(width, drawings)]
        codes = around @ directions.T
        scale = codes.square().mean().sqrt()
        codes = codes / scale
        maps = (directions * scale).unflatten(1, (blocks, -1))
        seen = torch.einsum("dw,wbn->dbn", codes, maps) + centre.flatten(1)
        # A basis for blocks, wherever they are.
        counted = seen * counts[:, None, None]
        gram = torch.einsum("dbn,dbm->nm", counted, counted)
        basis = torch.linalg.eigh(gram).eigenvectors.flip(1)[:, :block_width]
        of_blocks = seen @ basis
        block_scale = of_blocks.square().mean().sqrt()
        rows = counts.repeat_interleave(blocks)[:, None]
        to_companion = torch.linalg.lstsq(
            of_blocks.flatten(0, 1) / block_scale * rows,
            companion.flatten(0, 1).flatten(1) * rows,
        ).solution
        return cls(
            codes=codes,
            mean=centre.flatten(1) @ basis / block_scale,
            to_blocks=torch.einsum("wbn,nk->bwk", maps, basis) / block_scale,
            to_alone=(basis.T * block_scale).unflatten(1, alone.shape[2:]),
            to_companion=to_companion.unflatten(1, companion.shape[2:]),
        )

    def blocks(self, codes: Tensor) -> Tensor:
        """Return the blocks' codes, (drawings, blocks, numbers)."""
        return torch.einsum("dw,bwk->dbk", codes, self.to_blocks) + self.mean

    def alone(self, codes: Tensor) -> Tensor:
        """Return the looks of things alone, (drawings, cells, numbers), row by row."""
        return _in_rows(torch.einsum("dbk,kcn->dbcn", self.blocks(codes), self.to_alone))

    def companion(self, codes: Tensor) -> Tensor:
        """Return the looks of things that are not alone, (drawings, cells, numbers)."""
        return _in_rows(torch.einsum("dbk,kcn->dbcn", self.blocks(codes), self.to_companion))

    def state(self) -> dict[str, Tensor]:
        """Return all of it, by name."""
        return {name: getattr(self, name).contiguous() for name in self.__slots__}


def _in_rows(blocks: Tensor) -> Tensor:
    """Put cells in rows of the drawing: (drawings, blocks, cells of a block, numbers)."""
    side = round(blocks.shape[2] ** 0.5)
    split = blocks.unflatten(1, (BLOCKS, BLOCKS)).unflatten(3, (side, side))
    rows: Tensor = split.transpose(2, 3).flatten(1, 4)
    return rows


def _in_blocks(cells: Tensor) -> Tensor:
    """Put cells in blocks: (drawings, rows, columns, numbers)."""
    side = cells.shape[1] // BLOCKS
    split = cells.unflatten(2, (BLOCKS, side)).unflatten(1, (BLOCKS, side))
    blocks: Tensor = split.transpose(2, 3).flatten(3, 4).flatten(1, 2)
    return blocks


@torch.inference_mode()
def measured_looks(
    drawings: IconStore, shown: Iterable[Drawing], vae: AutoencoderTiny, side: int
) -> Tensor:
    """Return drawings as they are, (drawings, blocks, cells of a block, numbers).

    Args:
        drawings: Where they are.
        shown: Which.
        vae: Its encoder, which is linear, says what of a picture a latent holds.
        side: Cells a side, a multiple of `BLOCKS`.
    """
    pixels = side * CELL
    nothing = vae.encode(torch.zeros(1, 3, pixels, pixels, device=vae.device)).latents.cpu()
    rows, columns = torch.meshgrid(*[torch.linspace(-1, 1, CELL)] * 2, indexing="ij")
    waves = torch.stack([torch.ones_like(rows), rows, columns, rows * columns])
    waves = waves / waves.square().mean((1, 2), keepdim=True).sqrt() / CELL**2
    looks = []
    for drawing in shown:
        colour, opacity = _premultiplied(drawings, drawing, pixels)
        latents = vae.encode(colour[None].to(vae.device)).latents.cpu()
        latents = (latents - nothing) * vae.config.scaling_factor
        opacities = functional.conv2d(opacity[None], 2 * waves[:, None], stride=CELL)
        looks.append(torch.cat([latents, opacities], dim=1))
    return _in_blocks(torch.cat(looks).permute(0, 2, 3, 1))


def _premultiplied(drawings: IconStore, drawing: Drawing, side: int) -> tuple[Tensor, Tensor]:
    """Return colours in [-1, 1] times opacity, (3, side, side), and opacity, (1, side, side).

    The drawing stands in the middle of the lower edge of a square, as scenes show it.
    """
    picture = drawings.icon(*drawing)
    factor = side / max(picture.size)
    left = round((side - picture.width * factor) / 2)
    width, height = (max(1, round(length * factor)) for length in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    if is_turned(*drawing):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    square = Image.new("RGBA", (side, side))
    square.paste(picture, (left, side - height))
    pixels = torch.from_numpy(np.asarray(square, np.float32) / 255).permute(2, 0, 1)
    opacity = pixels[3:]
    return (2 * pixels[:3] - 1) * opacity, opacity
