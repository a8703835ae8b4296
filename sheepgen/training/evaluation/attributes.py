"""What the judge is asked about a picture, and what is right for a scene: tables, no network.

Things are a question with many answers at a time: every concept in the picture, every digit. All
other questions have exactly one answer, and some fit some scenes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.data.places import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.scene import RELATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sheepgen.training.data.scene import Scene

__all__ = ["QUESTIONS", "Question", "all_things", "things_of"]

ONE_KIND = ("single", "several")
"""The kinds of scenes whose things are all alike, so that one can count them, and name a colour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question with one answer.

    Args:
        name: What of a `Scene` it is about.
        answers: All there are; an empty one stands for "none of the others".
        right: Returns a scene's answer, or None if the question does not fit the scene.
    """

    name: str
    answers: tuple[str, ...]
    right: Callable[[Scene], str | None]


def _place(scene: Scene) -> str | None:
    # A backdrop without a place is painted as some place or other.
    return scene.place if scene.place or not scene.has_backdrop else None


QUESTIONS: dict[str, Question] = {
    question.name: question
    for question in (
        Question(name="relation", answers=RELATIONS, right=lambda scene: scene.relation or None),
        Question(
            name="count",
            answers=("1", "2", "3", "4"),
            right=lambda scene: str(scene.count) if scene.kind in ONE_KIND else None,
        ),
        Question(
            name="colour",
            answers=("", *COLOURS),
            right=lambda scene: scene.colour if scene.kind in ONE_KIND else None,
        ),
        Question(
            name="style",
            answers=STYLES,
            right=lambda scene: scene.style if scene.style in STYLES else None,
        ),
        Question(name="place", answers=("", *PLACES), right=_place),
        Question(name="time", answers=("", *TIMES), right=lambda scene: scene.time),
        Question(name="weather", answers=("", *WEATHERS), right=lambda scene: scene.weather),
        Question(name="background", answers=("", *COLOURS), right=lambda scene: scene.background),
    )
}


@cache
def all_things() -> tuple[str, ...]:
    """Return everything that may be seen: the concepts in the table's order, then the digits."""
    return (*concepts(), *(f"digit {digit}" for digit in range(10)))


def things_of(scene: Scene) -> frozenset[str]:
    """Return what a scene shows, in the words of `all_things`; of "42" the digits 4 and 2."""
    if scene.kind == "digits":
        return frozenset(f"digit {digit}" for digit in scene.subject)
    return frozenset(scene.things)
