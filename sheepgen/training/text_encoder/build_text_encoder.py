"""Puts the text encoder together: a vocabulary, a parser for it, and the cells of its drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.embedded.memory_tokens import TokenLayout
from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
from sheepgen.training.data.backgrounds import COLOURS
from sheepgen.training.data.layout import is_turned
from sheepgen.training.text_encoder.cell_table import CellTable, measure_cells
from sheepgen.training.text_encoder.parser_training import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusers import AutoencoderTiny

    from sheepgen.embedded.drawings import Drawing
    from sheepgen.embedded.prompt_parser import PromptParser
    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.data.icons import IconStore

__all__ = ["ANSWERS", "build_text_encoder", "measure_table", "token_layout"]

ANSWERS = [
    (question, [answer for answer in answers if answer]) for question, answers in QUESTIONS.items()
]
"""The questions about a scene and what a prompt can answer, in the order of the attributes."""


def measure_table(drawings: Sequence[Drawing], icons: IconStore, vae: AutoencoderTiny) -> CellTable:
    """Measure the cells of drawings, as scenes show them."""
    return CellTable.of(measure_cells((_picture(each, icons) for each in drawings), vae))


def _picture(drawing: Drawing, icons: IconStore) -> Image.Image:
    picture = icons.icon(drawing.style, drawing.concept)
    if is_turned(drawing.style, drawing.concept):
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return picture


def token_layout(cell_width: int) -> TokenLayout:
    """Return where in conditioning tokens what is."""
    attributes = sum(len(known) for _, known in ANSWERS)
    return TokenLayout(cell_width=cell_width, colours=len(COLOURS), attributes=attributes)


def build_text_encoder(
    vocabulary: Vocabulary, table: CellTable, parser: PromptParser, *, hidden_size: int = 0
) -> SceneTextEncoder:
    """Return the text encoder.

    Args:
        vocabulary: Its drawings are the rows of the table.
        table: Their cells.
        parser: Reads the vocabulary's symbols; it is copied.
        hidden_size: Numbers of a token; as many as are used if 0.
    """
    layout = token_layout(len(table.scale))
    encoder: SceneTextEncoder = SceneTextEncoder(
        drawings=len(table.first),
        stored_cells=len(table.cells),
        answers=ANSWERS,
        cell_width=layout.cell_width,
        hidden_size=hidden_size or layout.width,
        symbols=len(vocabulary.ids),
        parser_width=parser.width,
        parser_layers=parser.depth,
        parser_heads=parser.heads,
    )
    parts = {f"parser.{name}": value for name, value in parser.state_dict().items()}
    encoder.load_state_dict({**table.state(), **parts})
    encoder.eval()
    return encoder
