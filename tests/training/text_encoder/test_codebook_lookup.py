"""Units that look up what things look like add that where it belongs, and nothing elsewhere."""

from __future__ import annotations

import pytest
import torch

from sheepgen.training.text_encoder.appearance import ALONE_SIDE, BLOCKS, COMPANION_SIDE, Looks
from sheepgen.training.text_encoder.codebook_lookup import block_units
from sheepgen.training.text_encoder.conditioning_targets import Layout
from sheepgen.training.text_encoder.residual_layout import Stream
from tests.training.adding import added
from tests.training.text_fakes import random_states

TRUNK, HEADS = 16, 2


def looks_with_a_loud_block() -> Looks:
    """Return those of a drawing of which the first block tells 30 and the others 4."""
    to_blocks = torch.full((BLOCKS**2, 1, 1), 4.0)
    to_blocks[0] = 30
    alone, companion = ((side // BLOCKS) ** 2 for side in (ALONE_SIDE, COMPANION_SIDE))
    return Looks(
        codes=torch.ones(1, 1),
        mean=torch.zeros(BLOCKS**2, 1),
        to_blocks=to_blocks,
        to_alone=torch.ones(1, alone, 1),
        to_companion=torch.ones(1, companion, 1),
    )


@pytest.mark.parametrize("looks", [random_states().looks, looks_with_a_loud_block()])
@pytest.mark.parametrize("told_before", [0, 2, BLOCKS**2 - 1])
def test_each_block_is_told_once(looks: Looks, told_before: int) -> None:
    drawings, codes = looks.codes.shape
    stream = Stream(
        layout=Layout(looks.to_alone.shape[-1]),
        codes=codes,
        block_codes=looks.mean.shape[1],
        trunk=TRUNK,
        heads=HEADS,
    )
    units = block_units(stream, looks, range(told_before, BLOCKS**2))
    blocks = looks.blocks(looks.codes)
    for block in range(BLOCKS**2):
        slots = torch.zeros(drawings, stream.width)
        slots[:, stream.known] = 1
        row, column = divmod(block, BLOCKS)
        slots[:, stream.alone.block_rows.start + row] = 1
        slots[:, stream.alone.block_columns.start + column] = 1
        if block < told_before:
            slots[:, stream.block_code] = blocks[:, block]
        else:
            slots[:, stream.code] = looks.codes
        result = (slots + added(units, slots))[:, stream.block_code]
        assert torch.allclose(result, blocks[:, block], atol=1e-3), block
