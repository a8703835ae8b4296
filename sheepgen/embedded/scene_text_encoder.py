"""The text encoder: a prompt's words become scene labels, and these conditioning tokens.

A small network parses the words; what their concepts look like comes out of a table, which holds
the latents of drawings, cell by cell. So the U-Net need not learn any drawing by heart: it learns
to copy cells to the right place, which is one skill for all drawings. Words become what a picture
should show before they become the picture, as in unCLIP (https://arxiv.org/abs/2204.06125).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor
from torch.nn import functional

from sheepgen.embedded.memory_tokens import (
    ALONE,
    ALONE_SIDE,
    BLOCKS,
    CELLS_A_DRAWING,
    COMPANION_SIDE,
    MAX_THINGS,
    MEMORY_TOKENS,
    POSITION_WIDTH,
    TokenLayout,
)
from sheepgen.embedded.prompt_parser import PromptParser
from sheepgen.embedded.scene_labels import SceneLabels, attributes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.embedded.drawings import ChosenDrawings

__all__ = ["NOBODY", "LabelTensors", "SceneTextEncoder"]

NOBODY = -1
"""In place of a row or a colour: there is none."""


class LabelTensors(NamedTuple):
    """The labels of scenes as numbers.

    Args:
        rows: Of the table of cells, (scenes, `MAX_THINGS`), int64; `NOBODY` where there is none.
        colours: What each thing is painted in, likewise.
        mirrored: Whether drawings are mirrored, (scenes,), bool.
        alone: Whether the first thing has all memory tokens, likewise.
        attributes: (scenes, attributes), 0 or 1, float32.
    """

    rows: Tensor
    colours: Tensor
    mirrored: Tensor
    alone: Tensor
    attributes: Tensor


class SceneTextEncoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Writes the conditioning tokens of scenes; see `sheepgen.embedded.memory_tokens`.

    Args:
        drawings: Rows of the table of cells.
        stored_cells: Cells of all drawings together, without those that are empty.
        answers: Each question about a scene and all answers, in order; those to ``background`` are
            the colours. Pairs, for a config keeps no order of keys.
        cell_width: Numbers of a cell: its latent, and its opacity's mean and slopes.
        hidden_size: Numbers of a token; they follow from the other arguments, and are here for
            those who read the config alone.
        context_tokens: Tokens before the memory tokens.
        blank_tokens: How many of them are zero; the others hold the attributes.
        symbols: How many the vocabulary has for the prompt parser.
        parser_width: See `PromptParser`.
        parser_layers: Likewise.
        parser_heads: Likewise.
    """

    @register_to_config
    def __init__(
        self,
        drawings: int,
        stored_cells: int,
        answers: Sequence[tuple[str, Sequence[str]]],
        cell_width: int,
        hidden_size: int,
        symbols: int,
        context_tokens: int = 32,
        blank_tokens: int = 8,
        parser_width: int = 128,
        parser_layers: int = 2,
        parser_heads: int = 4,
    ) -> None:
        super().__init__()
        self.answers = {question: tuple(known) for question, known in answers}
        self.hidden_size = hidden_size
        self.context_tokens = context_tokens
        self.blank_tokens = blank_tokens
        colours = self.answers["background"]
        self.layout = TokenLayout(
            cell_width=cell_width,
            colours=len(colours),
            attributes=sum(map(len, self.answers.values())),
        )
        if hidden_size != self.layout.width:
            raise ValueError(f"hidden_size is {hidden_size}, not {self.layout.width}")
        self.parser = PromptParser(
            symbols,
            {question: ("", *known) for question, known in self.answers.items()},
            colours,
            width=parser_width,
            layers=parser_layers,
            heads=parser_heads,
        )
        # As `sheepgen.training.text_encoder.cell_table.CellTable` describes them.
        self.register_buffer("cells", torch.zeros(stored_cells, cell_width, dtype=torch.int8))
        self.register_buffer("cell_scale", torch.ones(cell_width))
        bits = torch.zeros(drawings, CELLS_A_DRAWING // 8, dtype=torch.uint8)
        self.register_buffer("cells_present", bits)
        self.register_buffer("first_cells", torch.zeros(drawings, dtype=torch.long))
        self.register_buffer("mirror", torch.eye(cell_width))
        owners, places, positions = _memory_tables()
        self.register_buffer("owners", owners, persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("positions", positions, persistent=False)

    def forward(
        self, rows: Tensor, colours: Tensor, mirrored: Tensor, alone: Tensor, attributes: Tensor
    ) -> Tensor:
        """Return conditioning tokens, (scenes, context and memory tokens, hidden_size).

        The arguments are those of `LabelTensors`.
        """
        which = alone.long()
        # Of each memory token: its thing, (scenes, tokens), and the colour of that.
        owners = self.owners[which]
        colour = functional.pad(colours, (0, 1), value=NOBODY).gather(1, owners)
        is_owned = (functional.pad(rows, (0, 1), value=NOBODY).gather(1, owners) != NOBODY)[
            ..., None
        ]
        cells = self.cells_of(rows.clamp(min=0))
        cells = torch.where(mirrored[:, None, None, None], self._mirror(cells), cells)
        cells = functional.pad(cells, (0, 0, 0, 0, 0, 1))  # nobody's, of zeros
        scenes = torch.arange(len(rows), device=rows.device)[:, None]
        own = [
            cells[scenes, owners, self.places[which]] * is_owned,
            self.positions[which] * is_owned,
            functional.one_hot(colour - NOBODY, self.layout.colours + 1)[..., 1:],
        ]
        memory = torch.cat(own, dim=2)  # (scenes, tokens, numbers of its own)
        tokens = functional.pad(memory, (0, 0, self.context_tokens, 0))
        shared = attributes.to(tokens.dtype)[:, None].repeat(1, tokens.shape[1], 1)
        shared[:, : self.blank_tokens] = 0
        return torch.cat([tokens, shared], dim=2)

    def cells_of(self, rows: Tensor) -> Tensor:
        """Return all cells of drawings, (…, `CELLS_A_DRAWING`, cell_width), by their rows, (…)."""
        bits = torch.arange(8, dtype=torch.uint8, device=rows.device)
        present = (self.cells_present[rows][..., None] >> bits & 1).flatten(-2)
        index = self.first_cells[rows][..., None] + present.cumsum(-1) - 1
        # Bounded, so that a damaged table cannot lead elsewhere.
        index = index.clamp(min=0, max=len(self.cells) - 1)
        cells: Tensor = self.cells[index] * self.cell_scale * present[..., None]
        return cells

    def _mirror(self, cells: Tensor) -> Tensor:
        """Mirror drawings left to right: each row of cells, then what is in each cell."""
        smaller, larger = torch.split(cells, [COMPANION_SIDE**2, ALONE_SIDE**2], dim=-2)
        turned = [
            torch.unflatten(each, -2, (side, side)).flip(-2).flatten(-3, -2)
            for each, side in ((smaller, COMPANION_SIDE), (larger, ALONE_SIDE))
        ]
        mirrored: Tensor = torch.cat(turned, dim=-2) @ self.mirror
        return mirrored

    def label_tensors(
        self, labels: Sequence[SceneLabels], drawings: Sequence[ChosenDrawings]
    ) -> LabelTensors:
        """Return scenes' labels as numbers, on the CPU.

        Args:
            labels: Of the scenes.
            drawings: What shows their things.
        """
        answers = self.answers
        colours = list(answers["background"])
        known = [(question, answer) for question in answers for answer in answers[question]]
        pairs = [*zip(labels, drawings, strict=True)]
        given = [attributes_of(each, chosen.style) for each, chosen in pairs]
        return LabelTensors(
            rows=_padded([chosen.rows for chosen in drawings]),
            colours=_padded(
                [
                    [colours.index(each) if each else NOBODY for each in chosen.colours]
                    for chosen in drawings
                ]
            ),
            mirrored=torch.tensor([chosen.mirrored for chosen in drawings]),
            alone=torch.tensor([each.kind == "single" for each in labels]),
            attributes=torch.tensor(
                [[float(each[question] == answer) for question, answer in known] for each in given]
            ),
        )

    @torch.no_grad()
    def encode(self, labels: SceneLabels, drawings: ChosenDrawings) -> Tensor:
        """Return one scene's conditioning tokens, (1, tokens, hidden_size)."""
        tensors = self.label_tensors([labels], [drawings])
        tokens: Tensor = self(*(each.to(self.cells.device) for each in tensors))
        return tokens

    def encode_nothing(self) -> Tensor:
        """Return the conditioning tokens of the empty prompt, zeros, (1, tokens, hidden_size)."""
        tokens = self.context_tokens + MEMORY_TOKENS
        return torch.zeros(1, tokens, self.hidden_size, device=self.cells.device)


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return rows of `MAX_THINGS` numbers."""
    return torch.tensor([[*row, *[NOBODY] * (MAX_THINGS - len(row))] for row in rows])


def _memory_tables() -> tuple[Tensor, Tensor, Tensor]:
    """Return what memory tokens hold of scenes with several things, and of those with one.

    Returns:
        The thing that owns each, `MAX_THINGS` for none, (2, tokens); its place among a drawing's
        cells, (2, tokens); its position encoding, (2, tokens, `POSITION_WIDTH`).
    """
    owners = torch.full((2, MEMORY_TOKENS), MAX_THINGS)
    places = torch.zeros(2, MEMORY_TOKENS, dtype=torch.long)
    positions = torch.zeros(2, MEMORY_TOKENS, POSITION_WIDTH)
    for which, first, blocks in ((0, 0, BLOCKS), (1, COMPANION_SIDE**2, (ALONE,))):
        for block in blocks:
            owners[which, block.tokens] = block.thing
            places[which, block.tokens] = first + torch.arange(block.side**2)
            positions[which, block.tokens] = block.position_encoding()
    return owners, places, positions
