"""Every drawing that the model knows: of each concept, in each style, in each colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import Concept, concepts, icon_of
from sheepgen.training.data.icon_sets import HOUSE_STYLE, STYLES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Drawing", "all_drawings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """One drawing.

    Args:
        concept: What it shows.
        style: The style that it may be chosen for; in the house's style several may be.
        icon_set: The set that it is from, which two things of one picture should share.
        icon: Its name there.
        colour: The colour word that it is chosen for; empty for the usual one.
    """

    concept: str
    style: str
    icon_set: str
    icon: str
    colour: str = ""


@cache
def all_drawings() -> tuple[Drawing, ...]:
    """Return the drawings in the table's order; of each concept and style the usual one first."""
    return tuple(drawing for concept in concepts().values() for drawing in _drawings_of(concept))


def _drawings_of(concept: Concept) -> Iterator[Drawing]:
    for style in STYLES:
        if style not in concept.drawings:
            continue
        yield _drawing(concept, style, concept.drawings[style])
        if style == HOUSE_STYLE:
            for variant in concept.variants:
                yield _drawing(concept, style, variant)
            for colour, icon in concept.colours.items():
                yield _drawing(concept, style, icon, colour)


def _drawing(concept: Concept, style: str, named: str, colour: str = "") -> Drawing:
    icon_set, icon = icon_of(style, named)
    return Drawing(concept=concept.name, style=style, icon_set=icon_set, icon=icon, colour=colour)
