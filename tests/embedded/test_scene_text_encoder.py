"""Conditioning tokens, number for number as they are computed by hand."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.embedded.drawings import ChosenDrawings
from sheepgen.embedded.memory_tokens import ALONE, BLOCKS, CELLS_A_DRAWING, token_blocks
from sheepgen.embedded.scene_labels import SceneLabels, Thing
from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
from sheepgen.training.text_encoder.cell_table import CellTable

if TYPE_CHECKING:
    from torch import Tensor

ANSWERS = [
    ("kind", ["single", "riding"]),
    ("place", ["beach"]),
    ("background", ["red", "blue", "pink"]),
]
WIDTH, CONTEXT, BLANK = 2, 4, 1
POSITION = slice(WIDTH, WIDTH + 18)
COLOUR = slice(POSITION.stop, POSITION.stop + 3)
ATTRIBUTES = slice(COLOUR.stop, COLOUR.stop + 6)
CAT, BUS = Thing(name="cat", colour="blue"), Thing(name="bus")


def random_cells() -> Tensor:
    """Return the cells of three drawings, (3, 832, 2), a third of them empty."""
    generator = torch.Generator().manual_seed(0)
    cells = torch.randn(3, CELLS_A_DRAWING, WIDTH, generator=generator)
    return cells * (torch.rand(3, CELLS_A_DRAWING, 1, generator=generator) > 1 / 3)


CELLS = random_cells()


@pytest.fixture(scope="module")
def encoder() -> SceneTextEncoder:
    """Return an encoder of three drawings, two numbers a cell."""
    table = CellTable.of(CELLS, mirror=torch.tensor([[1.0, 0.5], [0.0, -1.0]]))
    built: SceneTextEncoder = SceneTextEncoder(
        drawings=len(CELLS),
        stored_cells=len(table.cells),
        answers=ANSWERS,
        cell_width=WIDTH,
        hidden_size=ATTRIBUTES.stop,
        symbols=4,
        context_tokens=CONTEXT,
        blank_tokens=BLANK,
    )
    built.load_state_dict(table.state(), strict=False)
    return built


def encoded(encoder: SceneTextEncoder, labels: SceneLabels, *rows: int) -> tuple[Tensor, Tensor]:
    """Return the context tokens and the memory tokens of a scene."""
    colours = tuple(thing.colour for thing in labels.things)
    chosen = ChosenDrawings(rows=rows, colours=colours, style="noto")
    context, memory = torch.split(encoder.encode(labels, chosen)[0], [CONTEXT, 576])
    return context, memory


def position(thing: int, row: int, column: int) -> list[float]:
    waves = [
        wave(2 * math.pi * at / period)
        for at in (row, column)
        for period in (48, 24, 12, 6)
        for wave in (math.cos, math.sin)
    ]
    return [float(thing == 0), float(thing == 1), *waves]


def table_cells(encoder: SceneTextEncoder, row: int) -> Tensor:
    """Return one drawing's cells, (832, 2)."""
    return encoder.cells_of(torch.tensor([row]))[0]


def test_the_table_gives_cells_back_as_they_were_up_to_rounding(encoder: SceneTextEncoder) -> None:
    rows = torch.tensor([[2, 0], [1, 1]])
    back, expected = encoder.cells_of(rows), CELLS[rows]
    assert ((back - expected).abs() <= CELLS.abs().amax((0, 1)) / 127 / 2 + 1e-6).all()
    assert (back[expected == 0] == 0).all()
    assert len(encoder.cells) < 0.7 * 3 * CELLS_A_DRAWING


def test_a_damaged_table_leads_nowhere_else(encoder: SceneTextEncoder) -> None:
    damaged = copy.deepcopy(encoder)
    damaged.first_cells.copy_(torch.tensor([-(10**9), 10**9, 0]))
    assert damaged.cells_of(torch.tensor([0, 1])).isfinite().all()


def test_a_thing_alone_has_all_memory_tokens(encoder: SceneTextEncoder) -> None:
    _, memory = encoded(encoder, SceneLabels(things=(CAT,), place="beach"), 1)
    assert torch.equal(memory[:, :WIDTH], table_cells(encoder, 1)[256:])
    expected = [position(0, row, column) for row in range(24) for column in range(24)]
    torch.testing.assert_close(memory[:, POSITION], torch.tensor(expected), atol=4e-6, rtol=0)
    assert (memory[:, COLOUR] == torch.tensor([0.0, 1, 0])).all()
    assert (memory[:, ATTRIBUTES] == torch.tensor([1.0, 0, 1, 0, 0, 0])).all()


def test_two_things_have_a_block_each_and_the_rest_is_left_over(encoder: SceneTextEncoder) -> None:
    labels = SceneLabels(kind="riding", things=(CAT, BUS), background="pink")
    _, memory = encoded(encoder, labels, 2, 0)
    for thing, (row, paint) in enumerate(((2, [0.0, 1, 0]), (0, [0.0, 0, 0]))):
        block = memory[256 * thing : 256 * (thing + 1)]
        assert torch.equal(block[:, :WIDTH], table_cells(encoder, row)[:256])
        expected = [position(thing, y, x) for y in range(16) for x in range(16)]
        torch.testing.assert_close(block[:, POSITION], torch.tensor(expected), atol=4e-6, rtol=0)
        assert (block[:, COLOUR] == torch.tensor(paint)).all()
    assert not memory[512:, : ATTRIBUTES.start].any()
    assert (memory[:, ATTRIBUTES] == torch.tensor([0.0, 1, 0, 0, 0, 1])).all()


def test_several_of_a_kind_share_the_first_block(encoder: SceneTextEncoder) -> None:
    _, memory = encoded(encoder, SceneLabels(kind="several", things=(BUS,), count=3), 0)
    assert torch.equal(memory[:256, :WIDTH], table_cells(encoder, 0)[:256])
    assert not memory[256:].any()


def test_context_tokens_hold_the_attributes_after_some_blank_ones(
    encoder: SceneTextEncoder,
) -> None:
    context, _ = encoded(encoder, SceneLabels(things=(CAT,)), 1)
    assert not context[:BLANK].any()
    attributes = context[BLANK:, ATTRIBUTES]
    assert (attributes == torch.tensor([1.0, 0, 0, 0, 0, 0])).all()
    assert context.count_nonzero() == CONTEXT - BLANK


@pytest.mark.parametrize("things", [(CAT,), (CAT, BUS)])
def test_mirrored_cells_are_in_reverse_in_each_row(
    encoder: SceneTextEncoder, things: tuple[Thing, ...]
) -> None:
    labels = SceneLabels(kind="riding" if len(things) > 1 else "single", things=things)
    rows, colours = (1, 2)[: len(things)], ("",) * len(things)
    memory, mirrored = (
        encoder.encode(labels, ChosenDrawings(rows=rows, colours=colours, style="", mirrored=each))[
            0, CONTEXT:
        ]
        for each in (False, True)
    )
    for block in token_blocks(len(things), alone=len(things) == 1):
        cells, turned = (
            torch.unflatten(each[block.tokens], 0, (block.side, block.side))[..., :WIDTH]
            for each in (memory, mirrored)
        )
        first, second = cells.unbind(-1)
        back = torch.stack([first, first / 2 - second], dim=-1)
        torch.testing.assert_close(turned, back.flip(1), atol=1e-6, rtol=0)
    assert torch.equal(memory[:, WIDTH:], mirrored[:, WIDTH:])


def test_scenes_are_written_together_as_alone(encoder: SceneTextEncoder) -> None:
    labels = [
        SceneLabels(things=(CAT,)),
        SceneLabels(kind="riding", things=(BUS, CAT)),
        SceneLabels(place="beach"),
    ]
    chosen = [
        ChosenDrawings(rows=rows, colours=("",) * len(rows), style="noto", mirrored=len(rows) == 2)
        for rows in ((1,), (0, 1), ())
    ]
    together = encoder(*encoder.label_tensors(labels, chosen))
    alone = [encoder.encode(*each) for each in zip(labels, chosen, strict=True)]
    assert torch.equal(together, torch.cat(alone))
    assert not together[2, :, : ATTRIBUTES.start].any()


def test_the_table_holds_both_sizes_and_blocks_do_not_overlap() -> None:
    assert CELLS_A_DRAWING == 256 + 576
    assert token_blocks(1, alone=True) == (ALONE,)
    assert token_blocks(1, alone=False) == BLOCKS[:1]
    assert token_blocks(2, alone=False) == BLOCKS
    assert token_blocks(0, alone=True) == ()
    assert BLOCKS[0].tokens.stop == BLOCKS[1].tokens.start
