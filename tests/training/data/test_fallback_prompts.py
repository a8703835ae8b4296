"""Prompts that name no thing show what belongs there, what comes to mind, or a question mark."""

from __future__ import annotations

import random

from sheepgen.training.data.backgrounds import PLACES, TIMES
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.fallback_prompts import (
    AT_HOME,
    NOT_UNDERSTOOD,
    sample_mood,
    sample_place,
)
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.splits import held_out_drawings

EVOKED = {"surprise": "gift", "fast": "racing car"}
FILLERS = ["quietly", "hopeful"]


def moods(count: int, evoked: dict[str, str], cast: tuple[str, ...] = ()) -> dict[str, Scene]:
    rng = random.Random(1)
    return dict(sample_mood(rng, evoked, FILLERS, cast) for _ in range(count))


def places(count: int, cast: tuple[str, ...] = ()) -> dict[str, Scene]:
    rng = random.Random(1)
    return dict(sample_place(rng, cast) for _ in range(count))


def test_the_first_word_that_brings_a_thing_to_mind_decides() -> None:
    told = moods(600, EVOKED)
    assert told["surprise"] == Scene(kind="single", subject="gift", style="noto")
    assert told["surprise, fast"].subject == "gift"
    assert told["fast, surprise"].subject == "racing car"
    staged = {scene.place for scene in told.values() if scene.place}
    assert len(staged) > 0.5 * len(PLACES)
    assert all(scene.subject in EVOKED.values() for scene in told.values() if scene.place)


def test_what_brings_nothing_to_mind_is_a_question_mark() -> None:
    unknown = Scene(kind="single", subject=NOT_UNDERSTOOD, style="noto")
    assert {*moods(100, {}).values()} == {unknown}
    assert moods(600, EVOKED)["the quietly"] == unknown


def test_places_show_what_belongs_there() -> None:
    told = places(600)
    assert told["in the desert"] == Scene(
        kind="single", subject="cactus", style="noto", place="desert"
    )
    assert {scene.place for scene in told.values()} == PLACES.keys()
    for text, scene in told.items():
        assert scene.subject == AT_HOME[scene.place]
        assert any(phrase in text for phrase in (*PLACES[scene.place].phrases, scene.place)), text
        assert not scene.time or any(phrase in text for phrase in TIMES[scene.time].phrases), text
        assert not scene.time or PLACES[scene.place].open_air, text


def test_what_is_shown_unasked_can_be_shown() -> None:
    assert AT_HOME.keys() == PLACES.keys()
    for name in (*AT_HOME.values(), NOT_UNDERSTOOD):
        assert "noto" in concepts()[name].drawings
        assert ("noto", name) not in held_out_drawings()


def test_a_small_cast_shows_nothing_that_is_not_in_it() -> None:
    nothing = Scene(kind="single", subject="", style="noto")
    assert {*moods(100, {}, cast=("cat", "cow")).values()} == {nothing}
    told = places(600, cast=("cat", "cow"))
    assert told["in the desert"] == Scene(kind="single", subject="", style="noto", place="desert")
    assert {scene.place for scene in told.values() if scene.subject == "cow"} == {"field"}
    assert {scene.subject for scene in told.values()} == {"", "cow"}
