"""Dresses scenes: the colours of things, and what is behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.places import COLOURS, PLACES, TIMES, WEATHERS

if TYPE_CHECKING:
    import random

    from sheepgen.training.data.scene import Scene

__all__ = ["in_colours", "on_stage"]

THING_COLOUR_RATE = 0.22
GLOOMY = ("night",)
DARK_PLACES = ("space", "moon")


def in_colours(rng: random.Random, scene: Scene) -> Scene:
    """Return the scene with a thing in another colour, now and then."""

    def colour_of(name: str) -> str:
        if not name or "own-colour" in concepts()[name].roles or rng.random() > THING_COLOUR_RATE:
            return ""
        return rng.choice(list(COLOURS))

    return replace(scene, colour=colour_of(scene.subject), other_colour=colour_of(scene.other))


def on_stage(rng: random.Random, scene: Scene) -> Scene:
    """Return the scene with a pale tint, a plain colour, a place, an hour or weather behind it.

    Nothing is put before its own colour, and nothing black before the dark.
    """
    worn = {scene.colour, scene.other_colour} - {""}
    choice = rng.random()
    if choice < 0.24:
        return scene
    if choice < 0.42 or scene.kind == "digits":
        return replace(scene, background=rng.choice([c for c in COLOURS if c not in worn]))
    dark = "black" in worn
    places = [name for name in PLACES if not (dark and name in DARK_PLACES)]
    hours = [name for name in TIMES if not (dark and name in GLOOMY)]
    if choice < 0.5:
        return replace(scene, time=rng.choice(hours))
    place = rng.choice(places)
    if not PLACES[place].open_air or rng.random() < 0.5:
        return replace(scene, place=place)
    if rng.random() < 0.6:
        return replace(scene, place=place, time=rng.choice(hours))
    return replace(scene, place=place, weather=rng.choice(list(WEATHERS)))
