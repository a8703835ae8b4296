"""The table of cells: what is measured of drawings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sheepgen.embedded.memory_tokens import ALONE_SIDE, COMPANION_SIDE
from sheepgen.training.text_encoder.cell_table import (
    CELL,
    OPACITIES,
    CellTable,
    fit_mirror,
    measure_cells,
)
from tests.training.looks_fakes import CHANNELS, fitted_vae

RED, BLUE = (222, 40, 30), (20, 60, 230)


def block(size: tuple[int, int], colour: tuple[int, int, int] = RED) -> Image.Image:
    return Image.new("RGBA", size, (*colour, 255))


def measured(*pictures: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cells of the smaller and the larger drawings, (drawings, rows, columns, …)."""
    cells = measure_cells(pictures, fitted_vae())
    companion, alone = cells[:, : COMPANION_SIDE**2], cells[:, COMPANION_SIDE**2 :]
    return (
        companion.reshape(len(cells), COMPANION_SIDE, COMPANION_SIDE, -1),
        alone.reshape(len(cells), ALONE_SIDE, ALONE_SIDE, -1),
    )


def test_opaque_cells_differ_from_gray_ones_by_their_colour() -> None:
    colours = (RED, BLUE)
    pixels = torch.tensor([*colours, (127.5,) * 3])[..., None, None].expand(3, 3, CELL, CELL)
    vae = fitted_vae()
    with torch.inference_mode():
        latents = vae.encode(pixels / 127.5 - 1).latents.flatten(1) * vae.config.scaling_factor
    for cells in measured(*(block((64, 64), colour) for colour in colours)):
        assert cells.shape[-1] == CHANNELS + OPACITIES
        for own, latent in zip(cells, latents[:2], strict=True):
            assert (latent - latents[2]).abs().max() > 0.1
            expected = torch.cat([latent - latents[2], torch.tensor([2.0, 0.0, 0.0, 0.0])])
            torch.testing.assert_close(own, expected.expand_as(own), atol=1e-4, rtol=0)


def test_cells_say_how_much_of_them_is_opaque_and_where() -> None:
    # A sixteenth narrower than high, and a sixteenth lower than wide.
    _, (narrow, low) = measured(block((60, 64)), block((64, 60)))
    narrow, low = narrow[..., CHANNELS:], low[..., CHANNELS:]
    full = torch.tensor([2.0, 0.0, 0.0, 0.0])
    # Six of eight columns of pixels are wanting at both sides, ...
    right = torch.tensor([0.5, 0.0, (3 / 7) ** 0.5, 0.0])
    left = right * torch.tensor([1.0, 1.0, -1.0, 1.0])
    for cells, expected in ((narrow[:, 0], right), (narrow[:, -1], left), (narrow[:, 1:-1], full)):
        torch.testing.assert_close(cells, expected.expand_as(cells), atol=1e-5, rtol=0)
    # ... and what is low stands at the lower edge: twelve rows of pixels are empty.
    assert low[0].abs().max() == 0
    lower = torch.tensor([1.0, 4 / 21**0.5, 0.0, 0.0])
    torch.testing.assert_close(low[1], lower.expand(ALONE_SIDE, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(low[2:], full.expand_as(low[2:]), atol=1e-5, rtol=0)


def test_the_mirror_turns_what_is_in_a_cell() -> None:
    rng = np.random.default_rng(1)
    pictures = [
        Image.fromarray(rng.integers(256, size=(48, 48, 4), dtype=np.uint8)).resize((192, 192))
        for _ in range(12)
    ]
    mirror = fit_mirror(pictures[:8], fitted_vae())
    turned = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in pictures[8:]]
    _, cells = measured(*pictures[8:])
    _, wanted = measured(*turned)
    error = (cells.flip(2) @ mirror - wanted).square().sum() / wanted.square().sum()
    unturned = (cells.flip(2) - wanted).square().sum() / wanted.square().sum()
    assert error < unturned / 4
    # The mean opacity, and how it differs down, stay; across and diagonally they are reversed.
    reversal = torch.tensor([1.0, 1.0, -1.0, -1.0])
    opacities = cells.flip(2)[..., CHANNELS:] * reversal
    torch.testing.assert_close(wanted[..., CHANNELS:], opacities, atol=1e-4, rtol=0)


def test_what_is_transparent_is_empty() -> None:
    picture = block((64, 64))
    picture.paste((0, 0, 0, 0), (0, 0, 32, 32))
    companion, alone = measured(picture)
    for cells in (companion[0], alone[0]):
        half = len(cells) // 2
        assert cells[: half - 1, : half - 1].abs().max() < 1e-5
        assert (cells[half + 1 :, half + 1 :, CHANNELS] > 1.9).all()


def test_rounding_loses_little_and_empty_cells_take_no_room() -> None:
    cells = torch.zeros(2, 832, 3)
    generator = torch.Generator().manual_seed(0)
    cells[0, :100] = torch.randn(100, 3, generator=generator)
    cells[1, 500:] = torch.randn(332, 3, generator=generator)
    table = CellTable.of(cells)
    assert (len(table.cells), table.first.tolist()) == (432, [0, 100])
    assert table.cells.abs().amax(0).tolist() == [127] * 3
    back = torch.cat([cells[0, :100], cells[1, 500:]])
    error = (table.cells * table.scale - back).square().sum() / back.square().sum()
    assert error < 1e-3


def test_drawings_that_share_a_picture_share_its_cells() -> None:
    cells = torch.randn(2, 832, 3, generator=torch.Generator().manual_seed(0))
    table = CellTable.of(cells, [1, 0, 1])
    assert (len(table.cells), table.first.tolist()) == (2 * 832, [832, 0, 832])
    assert len(table.present) == 3


@pytest.mark.parametrize(("cell", "byte", "bit"), [(0, 0, 0), (3, 0, 3), (13, 1, 5), (831, 103, 7)])
def test_the_first_of_eight_cells_is_the_lowest_bit(cell: int, byte: int, bit: int) -> None:
    cells = torch.zeros(1, 832, 1)
    cells[0, cell] = 1.0
    present = CellTable.of(cells).present
    assert present[0, byte] == 1 << bit
    assert present.sum() == 1 << bit
