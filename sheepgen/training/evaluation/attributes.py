"""The classes that the classifier knows, and which of them are correct for a scene; no network.

``classes.tsv`` lists the classes of each head in the order of the classifier's outputs, as the
installed weights were trained. So it grows only with a newly trained classifier, however long the
table of concepts gets: a scene's concept that is not listed is not asked about.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sheepgen.training.data.scene import Scene

__all__ = ["ATTRIBUTES", "CONCEPTS", "Attribute", "concept_classes", "concepts_in", "read_classes"]

CONCEPTS = "things"
"""The head for concepts and digits, of which a picture can show several."""

ONE_KIND = ("single", "several")
"""The kinds of scenes that show one concept only, so that count and colour are defined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """An attribute of the whole picture, with exactly one value.

    Args:
        name: The field of `Scene` that it is about, and the name of its head.
        classes: Its values; an empty one stands for "none of the others".
        value_of: Returns a scene's value, or None if the scene has no defined value.
    """

    name: str
    classes: tuple[str, ...]
    value_of: Callable[[Scene], str | None]

    def label(self, scene: Scene) -> int | None:
        """Return the index of the scene's class, or None if it has none of the classes."""
        value = self.value_of(scene)
        return self.classes.index(value) if value in self.classes else None


def _place(scene: Scene) -> str | None:
    # A backdrop without a place is painted as some place or other.
    return scene.place if scene.place or not scene.has_scenery else None


_VALUES: dict[str, Callable[[Scene], str | None]] = {
    "relation": lambda scene: scene.relation or None,
    "count": lambda scene: str(scene.count) if scene.kind in ONE_KIND else None,
    "colour": lambda scene: scene.colour if scene.kind in ONE_KIND else None,
    "style": lambda scene: scene.style,
    "place": _place,
    "time": lambda scene: scene.time,
    "weather": lambda scene: scene.weather,
    "background": lambda scene: scene.background,
}


@cache
def read_classes() -> dict[str, tuple[str, ...]]:
    """Return the classes of each head, in the order of its outputs."""
    text = files(__package__).joinpath("classes.tsv").read_text("utf-8")
    classes: dict[str, tuple[str, ...]] = {}
    for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        classes[row["head"]] = (*classes.get(row["head"], ()), row["class"])
    return classes


def concept_classes() -> tuple[str, ...]:
    """Return the names of the concepts that the classifier knows, then those of the digits."""
    return read_classes()[CONCEPTS]


ATTRIBUTES: dict[str, Attribute] = {
    name: Attribute(name=name, classes=read_classes()[name], value_of=value_of)
    for name, value_of in _VALUES.items()
}


def concepts_in(scene: Scene) -> frozenset[str]:
    """Return the concepts that a scene shows; of "42" "digit 4" and "digit 2"."""
    if scene.kind == "digits":
        return frozenset(f"digit {digit}" for digit in scene.subject)
    return frozenset(scene.things)
