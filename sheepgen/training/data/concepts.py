"""What the model can draw: the reviewed table ``concepts.tsv``, read into `Concept` rows.

The table's columns:

    name        the word that captions use most; it names the concept everywhere
    plural      only if `plural_of` cannot form it
    group       animal, food, vehicle, …
    synonyms    other words that captions use, separated by commas
    drawing     its name in the drawing sets
    exceptions  ``set=name`` where a set calls it otherwise; ``set=-`` where a set lacks it, or has
                something else under its name; ``set=other:name`` where it borrows another set's;
                ``*=-`` first, where all sets but the house's and those named are left out
    roles       see `ROLES`
    faces       left, right or front, then ``set=…`` where a set differs
    heads       the sets that draw only its head ("all" for all of them)
    seat        for what can be ridden: where a rider sits, ``x`` or ``x,y``, as fractions of the
                drawing from its upper left corner, as drawn; then ``set=…`` where a set differs,
                and ``set=-`` where nobody can sit. Without ``y`` it is measured from the drawing
    top         for bases, the same for what stands on them; empty if that is the upper edge
    colours     ``colour=name`` where the house's set has a drawing of that colour or skin tone
    variants    further drawings in the house's style, as sets or ``set:name``
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sheepgen.training.data.backgrounds import COLOURS
from sheepgen.training.data.icon_sets import DRAWING_SETS, HOUSE_STYLE
from sheepgen.training.data.words import plural_of

__all__ = ["ROLES", "Concept", "Spot", "concepts", "icon_of", "parse_concepts"]

ROLES = {
    "rides": "can sit on what has a seat",
    "wears": "has a head that a hat fits",
    "glassable": "looks at us, so that glasses fit",
    "hat": "is worn on the head",
    "glasses": "is worn over the eyes",
    "holds": "can hold things, even where only its head is drawn",
    "held": "can be held",
    "base": "is flat enough that things stand on it",
    "part": "belongs to other things: is not shown beside what has it",
    "sky": "floats: casts no shadow",
    "own-colour": "is never shown in another colour",
    "bare": "takes no article and is not counted",
    "written": "bears writing, or means another thing mirrored: is never mirrored",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """A point of a drawing, as fractions of it; ``y`` is None if it is to be measured."""

    x: float
    y: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """One row of the table.

    Args:
        name: The word that captions use most.
        plural: The word for several of it.
        group: The kind of thing.
        synonyms: Other words that captions use for it.
        drawings: Drawing set to the drawing's name there, or to ``set:name`` of another that lends
            it, see `icon_of`; sets that lack it are left out.
        roles: Which parts it can play in a scene; keys of `ROLES`.
        faces: Drawing set to "left", "right" or "front".
        heads: The sets that draw only its head.
        seats: Drawing set to where a rider sits; empty if it cannot be ridden.
        tops: Drawing set to where things stand on it; empty if that is measured, or nothing does.
        colours: Colour word to the house style's drawing in it, as `drawings` names one. Of people
            these are skin tones.
        variants: Further drawings that may stand for it in the house style, named likewise.
    """

    name: str
    plural: str
    group: str
    synonyms: tuple[str, ...]
    drawings: dict[str, str]
    roles: frozenset[str]
    faces: dict[str, str]
    heads: frozenset[str]
    seats: dict[str, Spot]
    tops: dict[str, Spot]
    colours: dict[str, str]
    variants: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The name, then the synonyms."""
        return (self.name, *self.synonyms)

    @property
    def forms(self) -> tuple[str, ...]:
        """All that it is called, the plural first."""
        return (self.plural, *self.words)


@cache
def concepts() -> dict[str, Concept]:
    """Return the table's concepts by name, in its order."""
    text = files(__package__).joinpath("concepts.tsv").read_text("utf-8")
    return {concept.name: concept for concept in parse_concepts(text)}


def parse_concepts(text: str) -> list[Concept]:
    """Read a table of concepts.

    Args:
        text: Tab-separated, with the header that the module's docstring describes.

    Raises:
        ValueError: If a row names an unknown role, set or colour, or a cell is malformed.
    """
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [_concept(row) for row in rows]


def _concept(row: dict[str, str]) -> Concept:
    roles = frozenset(row["roles"].split())
    if unknown := roles - ROLES.keys():
        raise ValueError(f"{row['name']}: unknown roles {sorted(unknown)}")
    heads = frozenset(DRAWING_SETS if row["heads"] == "all" else row["heads"].split())
    drawings = _per_set(f"{row['drawing']} {row['exceptions']}")
    return Concept(
        name=row["name"],
        plural=row["plural"] or plural_of(row["name"]),
        group=row["group"],
        synonyms=tuple(filter(None, row["synonyms"].split(", "))),
        drawings=drawings,
        roles=roles,
        faces=_per_set(row["faces"] or "front"),
        heads=heads,
        seats=_spots(row["seat"]),
        tops=_spots(row["top"]),
        colours=_colours(row["colours"]),
        variants=tuple(
            name if ":" in name else f"{name}:{drawings[name]}" for name in row["variants"].split()
        ),
    )


def icon_of(style: str, drawing: str) -> tuple[str, str]:
    """Return the set that a drawing of a style is from, and its name there."""
    lender, colon, name = drawing.partition(":")
    return (lender, name) if colon else (style, drawing)


def _per_set(cell: str) -> dict[str, str]:
    """Read "value set=other set=-" into one value a set, leaving out what is "-"."""
    default, *exceptions = cell.split() or ["-"]
    values = dict.fromkeys(DRAWING_SETS, default)
    if exceptions[:1] == ["*=-"]:
        values = {HOUSE_STYLE: default}
        exceptions = exceptions[1:]
    for exception in exceptions:
        name, equals, value = exception.partition("=")
        if name not in DRAWING_SETS or not equals or not value:
            raise ValueError(f"{cell!r}: {exception!r} is not set=value")
        values[name] = value
    return {name: value for name, value in values.items() if value != "-"}


def _spots(cell: str) -> dict[str, Spot]:
    spots = {name: value.split(",") for name, value in _per_set(cell).items()}
    return {name: Spot(x=float(x), y=float(*y) if y else None) for name, (x, *y) in spots.items()}


def _colours(cell: str) -> dict[str, str]:
    colours = {}
    for entry in cell.split():
        colour, equals, drawing = entry.partition("=")
        if colour not in COLOURS or not equals or not drawing:
            raise ValueError(f"{cell!r}: {entry!r} is not colour=drawing")
        colours[colour] = drawing
    return colours
