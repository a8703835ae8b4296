"""What a prompt says of the whole picture, as numbers that each stand for one answer.

They are one where the answer is given and zero elsewhere: a prompt that names no place has zeros
for all places.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.data.scene import KINDS

if TYPE_CHECKING:
    from sheepgen.training.data.scene import Scene

__all__ = ["COLOUR_NAMES", "FACTS", "as_told", "facts_of"]

COLOUR_NAMES = tuple(COLOURS)

QUESTIONS: dict[str, tuple[str, ...]] = {
    "kind": KINDS,
    "count": ("1", "2", "3", "4"),
    "style": STYLES,
    "place": tuple(PLACES),
    "time": tuple(TIMES),
    "weather": tuple(WEATHERS),
    "background": COLOUR_NAMES,
    "digits": tuple("0123456789"),
    "second digit": tuple("0123456789"),
}
"""What is told, and all answers to it."""

ANSWERS = tuple((question, answer) for question, known in QUESTIONS.items() for answer in known)
"""Every fact, in order: to which question it is which answer."""

FACTS = len(ANSWERS)


def as_told(scene: Scene) -> Scene:
    """Return a scene with only that behind its things which its caption tells."""
    said = scene.caption.lower()

    def told(answer: str, phrases: tuple[str, ...]) -> str:
        return answer if any(phrase in said for phrase in phrases) else ""

    return replace(
        scene,
        place=told(scene.place, PLACES[scene.place].phrases) if scene.place else "",
        time=told(scene.time, TIMES[scene.time].phrases) if scene.time else "",
        weather=told(scene.weather, WEATHERS[scene.weather].phrases) if scene.weather else "",
        background=told(scene.background, _backgrounds(scene.background)),
    )


def _backgrounds(colour: str) -> tuple[str, ...]:
    """Return how captions tell that a colour is behind things, and not theirs."""
    return (f"{colour} background", f"{colour} wall", f"against {colour}") if colour else ()


def facts_of(told: Scene) -> torch.Tensor:
    """Return what is told, (`FACTS`,)."""
    digits = told.subject if told.kind == "digits" else ""
    answers = {
        "kind": told.kind,
        "count": "" if digits else str(told.count),
        "style": told.style,
        "place": told.place,
        "time": told.time,
        "weather": told.weather,
        "background": told.background,
        "digits": digits[:1],
        "second digit": digits[1:2],
    }
    return torch.tensor([float(answers[question] == answer) for question, answer in ANSWERS])
