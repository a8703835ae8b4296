"""Prompts that name no thing, and what is shown all the same.

Those that name a place tell it with what belongs there. In others a word brings a thing to mind
(`sheepgen.training.data.associations`), the first if several do. The rest tell a question mark, so
that whoever typed them sees that they were not understood.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.training.data.backgrounds import PLACES, TIMES
from sheepgen.training.data.icon_sets import HOUSE_STYLE
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.words import words_of

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["AT_HOME", "NOT_UNDERSTOOD", "sample_mood", "sample_place"]

AT_HOME = {
    "beach": "beach umbrella",
    "road": "car",
    "field": "cow",
    "flowers": "butterfly",
    "hills": "sheep",
    "farm": "tractor",
    "desert": "cactus",
    "snow": "snowman",
    "mountains": "goat",
    "forest": "pine tree",
    "city": "office building",
    "lake": "duck",
    "room": "chair",
    "stage": "microphone",
    "sky": "airplane",
    "space": "planet",
    "moon": "rocket",
    "underwater": "fish",
}
"""What is shown at a place where nothing else is. The U-Net has seen no place without a thing."""

PLACE_NOUNS = (
    "beach", "road", "field", "farm", "desert", "forest", "city", "lake", "room", "stage", "space"
)  # fmt: skip
"""The places that are called so and are no things."""

NOT_UNDERSTOOD = "question mark"
"""What is shown where a prompt brings nothing to mind."""

EVOKED_RATE = 0.4
"""How many moods bring a thing to mind."""

EVOKING_WORDS = (1, 1, 2)
"""By how many words of theirs; the first is what counts."""

STAGED_RATE = 0.3
"""How many of these name a place as well."""

MOODS = ("{0}", "{0}", "{0} {1}", "{1} {0}", "{0}, {1}", "a {1} {0}", "the {0}", "a {0} {1} a {2}")
"""Prompts that name no thing, where a number stands for a word."""


def sample_mood(
    rng: random.Random,
    evoked: Mapping[str, str],
    fillers: Sequence[str],
    cast: Collection[str] = (),
) -> tuple[str, Scene]:
    """Return a prompt of words that name nothing, and a scene of what they bring to mind.

    Args:
        rng: What decides.
        evoked: Words that bring a concept to mind; there may be none.
        fillers: Words that mean no thing; one at least.
        cast: The concepts that may take part; all of them if empty.
    """
    words = rng.choices(fillers, k=3)
    if evoked and rng.random() < EVOKED_RATE:
        evoking = rng.choices([*evoked], k=rng.choice(EVOKING_WORDS))
        words[: len(evoking)] = evoking
    prompt = rng.choice(MOODS).format(*words)
    shown = [evoked[word] for word in words_of(prompt) if word in evoked]
    if not shown:
        return prompt, _alone(NOT_UNDERSTOOD, cast)
    scene = _alone(shown[0])
    if rng.random() < STAGED_RATE:
        said, stage = sample_place(rng, cast)
        prompt, scene = f"{prompt} {said}", replace(stage, subject=scene.subject)
    return prompt, scene


def sample_place(rng: random.Random, cast: Collection[str] = ()) -> tuple[str, Scene]:
    """Return a phrase for a place, at some hour or none, and a scene of what belongs there.

    Args:
        rng: What decides.
        cast: The concepts that may take part; all of them if empty. Where what belongs there does
            not, the scene has no subject.
    """
    place, time = rng.choice([*PLACES]), rng.choice(["", "", *TIMES])
    if not PLACES[place].open_air:
        time = ""
    said = rng.choice(PLACES[place].phrases)
    if place in PLACE_NOUNS and rng.random() < 0.5:
        said = f"{rng.choice(('', 'a ', 'the '))}{place}"
    if time:
        said = f"{said} {rng.choice(TIMES[time].phrases)}"
    return said, replace(_alone(AT_HOME[place], cast), place=place, time=time)


def _alone(name: str, cast: Collection[str] = ()) -> Scene:
    """Return a scene of one thing, or of none if that is not in the cast."""
    subject = name if not cast or name in cast else ""
    return Scene(kind="single", subject=subject, style=HOUSE_STYLE)
