"""Which drawings show a scene's things: rows of the table of cells, chosen by the image's seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

    from sheepgen.embedded.scene_labels import SceneLabels, Thing

__all__ = ["ChosenDrawings", "Drawing", "DrawingTable"]


class Drawing(NamedTuple):
    """One row of the table of cells.

    Args:
        concept: Name of what it shows.
        style: The style that it is for; there may be several for one.
        colour: The colour that it shows the concept in, if there is a drawing for each ("black" of
            a cat or a person); empty for the usual one.
        icon_set: Where it is from.
    """

    concept: str
    style: str
    colour: str = ""
    icon_set: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenDrawings:
    """The drawings of one scene.

    Args:
        rows: One for each of the scene's things.
        colours: What each is painted in, or empty: a drawing of that colour needs no paint.
        style: That of the drawings.
        mirrored: Whether they are shown mirrored, left to right.
    """

    rows: tuple[int, ...]
    colours: tuple[str, ...]
    style: str
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class DrawingTable:
    """Finds rows; see `DrawingTable.of`.

    Args:
        drawings: All rows in order.
        rows: Their numbers by concept and style.
    """

    drawings: Sequence[Drawing]
    rows: Mapping[str, Mapping[str, Sequence[int]]]

    @classmethod
    def of(cls, drawings: Iterable[Drawing]) -> Self:
        """Index drawings; of several for a concept the first is preferred."""
        listed = tuple(drawings)
        rows: dict[str, dict[str, list[int]]] = {}
        for row, drawing in enumerate(listed):
            rows.setdefault(drawing.concept, {}).setdefault(drawing.style, []).append(row)
        return cls(listed, rows)

    def styles(self, concept: str) -> tuple[str, ...]:
        """Return the styles that there are drawings of a concept in, the preferred one first."""
        return tuple(self.rows.get(concept, ()))

    def has_colour(self, concept: str, colour: str) -> bool:
        """Return whether there is a drawing of a concept in a colour that is not painted."""
        rows = [row for several in self.rows.get(concept, {}).values() for row in several]
        return any(self.drawings[row].colour == colour for row in rows)

    def rows_for(self, concept: str, style: str, colour: str = "") -> tuple[int, ...]:
        """Return the rows for a concept: those of a colour if there are any, else the plain ones.

        Args:
            concept: Its name.
            style: Of the drawing.
            colour: As the prompt says it, or empty.
        """
        rows = self.rows.get(concept, {}).get(style, ())
        for wanted in (colour, ""):
            if fitting := tuple(row for row in rows if self.drawings[row].colour == wanted):
                return fitting
        return tuple(rows)

    def choose(self, labels: SceneLabels, seed: int) -> ChosenDrawings:
        """Choose a scene's drawings, of one style, and of one icon set where one has them all.

        Args:
            labels: Of the scene. A style in which one of its things has no drawing is not kept to;
                without a style it is the first that has them all.
            seed: Counts through what there is to choose from, so 0 is what is preferred, and then
                through the same mirrored, unless one of the things bears writing.

        Raises:
            KeyError: If a thing has no drawing at all.
        """
        things = labels.things
        options = self._options(things, labels.style)
        turns, which = divmod(seed, len(options))
        rows = options[which]
        styles = [self.drawings[row].style for row in rows]
        return ChosenDrawings(
            rows=rows,
            colours=tuple(
                "" if self.drawings[row].colour == thing.colour else thing.colour
                for row, thing in zip(rows, things, strict=True)
            ),
            style=labels.style or (styles[0] if styles else ""),
            mirrored=turns % 2 == 1 and not any(thing.written for thing in things),
        )

    def _options(self, things: Sequence[Thing], style: str) -> list[tuple[int, ...]]:
        """Return all ways to show things, each a row for each of them."""
        if not things:
            return [()]
        known = [self.rows[thing.name] for thing in things]
        shared = [each for each in known[0] if all(each in styles for styles in known)]
        common = style if style in shared else next(iter(shared), "")
        chosen = [common or (style if style in each else next(iter(each))) for each in known]
        options = [
            *product(
                *(
                    self.rows_for(thing.name, each, thing.colour)
                    for thing, each in zip(things, chosen, strict=True)
                )
            )
        ]
        of_one_set = [
            rows for rows in options if len({self.drawings[row].icon_set for row in rows}) == 1
        ]
        return of_one_set or options
