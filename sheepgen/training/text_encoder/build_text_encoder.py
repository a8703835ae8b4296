"""Puts the text encoder together: a vocabulary, a parser for it, and the cells of its drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.embedded.memory_tokens import TokenLayout
from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
from sheepgen.training.data.backgrounds import COLOURS
from sheepgen.training.data.layout import is_turned
from sheepgen.training.text_encoder.cell_table import CellTable, fit_mirror, measure_cells
from sheepgen.training.text_encoder.train_parser import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusers import AutoencoderTiny

    from sheepgen.embedded.prompt_parser import PromptParser
    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.data.drawings import Drawing
    from sheepgen.training.data.icons import IconStore

__all__ = ["ANSWERS", "build_text_encoder", "drawing_rows", "measure_table", "token_layout"]

MIRRORED_PICTURES = 300
"""At most so many pictures show how to mirror cells."""

ANSWERS = [
    (question, [answer for answer in answers if answer]) for question, answers in QUESTIONS.items()
]
"""The questions about a scene and what a prompt can answer, in the order of the attributes."""


def measure_table(drawings: Sequence[Drawing], icons: IconStore, vae: AutoencoderTiny) -> CellTable:
    """Measure the cells of drawings, as scenes show them."""
    keys = [(each.icon_set, each.icon, is_turned(each.style, each.concept)) for each in drawings]
    pictures = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    cells = measure_cells((_picture(icons, *key) for key in pictures), vae)
    some = [_picture(icons, *key) for key in [*pictures][:: 1 + len(pictures) // MIRRORED_PICTURES]]
    return CellTable.of(cells, [pictures[key] for key in keys], fit_mirror(some, vae))


def _picture(icons: IconStore, icon_set: str, icon: str, turned: bool) -> Image.Image:
    picture = icons.drawing(icon_set, icon)
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turned else picture


def drawing_rows(drawings: Sequence[Drawing]) -> list[tuple[str, str, str, str]]:
    """Return what a vocabulary says of drawings."""
    return [(each.concept, each.style, each.colour, each.icon_set) for each in drawings]


def token_layout(cell_width: int) -> TokenLayout:
    """Return where in conditioning tokens what is."""
    attributes = sum(len(known) for _, known in ANSWERS)
    return TokenLayout(cell_width=cell_width, colours=len(COLOURS), attributes=attributes)


def build_text_encoder(
    vocabulary: Vocabulary, table: CellTable, parser: PromptParser
) -> SceneTextEncoder:
    """Return the text encoder.

    Args:
        vocabulary: Its drawings are the rows of the table.
        table: Their cells.
        parser: Reads the vocabulary's symbols; it is copied.
    """
    layout = token_layout(len(table.scale))
    encoder: SceneTextEncoder = SceneTextEncoder(
        drawings=len(table.first),
        stored_cells=len(table.cells),
        answers=ANSWERS,
        cell_width=layout.cell_width,
        hidden_size=layout.width,
        symbols=len(vocabulary.ids),
        parser_width=parser.width,
        parser_layers=parser.depth,
        parser_heads=parser.heads,
    )
    parts = {f"parser.{name}": value for name, value in parser.state_dict().items()}
    encoder.load_state_dict({**table.state(), **parts})
    encoder.eval()
    return encoder
