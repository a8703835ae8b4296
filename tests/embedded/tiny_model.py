"""A whole embedded model, small, whose parser follows two rules and not a training.

One mention is alone, and of two the first rides the second. Colours and places are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers import AutoencoderTiny

from sheepgen.embedded.memory_tokens import CELLS_A_DRAWING, POSITION_WIDTH
from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.embedded.scene_labels import KINDS
from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
from sheepgen.embedded.vocabulary_file import VERSION, from_dict
from sheepgen.training.export import ModelParts, export_model
from sheepgen.training.text_encoder.cell_table import CellTable
from tests.tiny import tiny_unet

if TYPE_CHECKING:
    from pathlib import Path

DRAWINGS = (
    ("sheep", "noto", "", "noto"),
    ("fire truck", "noto", "", "noto"),
    ("sheep", "noto", "", "flat"),
)
CONTEXT = 4

_CONCEPTS = {
    "sheep": {"plural": "sheep", "group": "animal", "roles": ["rides"]},
    "fire truck": {"plural": "fire trucks", "group": "vehicle", "roles": ["own-colour", "ridden"]},
}
VOCABULARY = from_dict(
    {
        "version": VERSION,
        "concepts": _CONCEPTS,
        "forms": {name: name for name in _CONCEPTS},
        **{part: [] for part in ("plurals", "phrases", "ignored", "ambiguous")},
        **{part: {} for part in ("near", "foreign", "equivalents", "evoked", "defaults")},
        "cues": {"red": ["colour=red"], "cartoon": ["style=noto"], "flat": ["style=flat"]},
        "words": ["a", "on"],
        "real": "",
        "drawings": [list(row) for row in DRAWINGS],
    }
)
ANSWERS: dict[str, list[str]] = {
    "kind": [*KINDS],
    "count": ["1", "2"],
    "style": ["noto", "flat"],
    "place": ["beach"],
    "time": ["night"],
    "weather": ["rain"],
    "background": ["red", "blue"],
    "digits": [*"01"],
    "second digit": [*"01"],
}
CELL_WIDTH = 6
WIDTH = CELL_WIDTH + POSITION_WIDTH + len(ANSWERS["background"]) + sum(map(len, ANSWERS.values()))


def tiny_text_encoder() -> SceneTextEncoder:
    generator = torch.Generator().manual_seed(0)
    cells = torch.randn(len(DRAWINGS), CELLS_A_DRAWING, CELL_WIDTH, generator=generator)
    table = CellTable.of(cells)
    encoder: SceneTextEncoder = SceneTextEncoder(
        drawings=len(DRAWINGS),
        stored_cells=len(table.cells),
        answers=[*ANSWERS.items()],
        cell_width=CELL_WIDTH,
        hidden_size=WIDTH,
        symbols=len(VOCABULARY.ids),
        context_tokens=CONTEXT,
        blank_tokens=1,
        parser_width=8,
        parser_layers=1,
        parser_heads=2,
    )
    encoder.load_state_dict(table.state(), strict=False)
    with torch.no_grad():
        for head in (encoder.parser.answers, encoder.parser.owners, encoder.parser.mention_colours):
            head.weight.zero_()
            head.bias.zero_()
        encoder.parser.mention_colours.bias[0] = 1
        starts = torch.tensor([0, *(1 + len(known) for known in ANSWERS.values())]).cumsum(0)
        encoder.parser.answers.bias[starts[:-1]] = 1
        for strength, kind in ((2, "single"), (3, "riding")):
            encoder.parser.answers.bias[1 + KINDS.index(kind)] = strength
    return encoder


def write_tiny_model(folder: Path) -> Path:
    """Write the model into a new folder, as training exports it, and return the folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = ModelParts(
            vocabulary=VOCABULARY,
            text_encoder=tiny_text_encoder(),
            unet=tiny_unet(sample_size=16, text_width=WIDTH),
            vae=AutoencoderTiny(
                latent_channels=4,
                encoder_block_out_channels=(8, 8),
                decoder_block_out_channels=(8, 8),
                num_encoder_blocks=(1, 1),
                num_decoder_blocks=(1, 1),
            ),
            preview_decoder=PreviewDecoder(latent_channels=4, width=4, upscale=2),
        )
    export_model(parts, folder)
    return folder
