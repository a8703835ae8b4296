"""Lessons are repeatable, and say what they are said to tell."""

from __future__ import annotations

from collections import Counter

import pytest

from sheepgen.training.data.fallback_prompts import AT_HOME, NOT_UNDERSTOOD
from sheepgen.training.data.scene import KINDS, Scene
from sheepgen.training.data.splits import find_held_out_word, must_stay_apart
from sheepgen.training.text_encoder.prompt_dataset import Lesson, Lessons
from tests.training.data.naming import named_style, named_things

LEXICON = {"ewe": "sheep", "lorry": "truck"}
EVOKED = {"surprise": "gift", "fast": "racing car", "hat": "top hat"}
FILLERS = ["quietly", "hopeful"]


def series_of(seed: int) -> Lessons:
    """Return lessons with few words."""
    return Lessons(seed=seed, lexicon=LEXICON, evoked=EVOKED, fillers=FILLERS)


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    series = series_of(1)
    return [series[index] for index in range(3_000)]


def test_a_lesson_depends_on_seed_and_index_only(lessons: list[Lesson]) -> None:
    assert series_of(1)[17] == lessons[17]
    assert series_of(2)[17] != lessons[17]


def test_all_sorts_occur(lessons: list[Lesson]) -> None:
    kinds = Counter(lesson.told.kind for lesson in lessons if lesson.told)
    assert kinds.keys() == {*KINDS}
    assert sum(lesson == Lesson("", None) for lesson in lessons) > 20
    assert sum("quietly" in lesson.prompt for lesson in lessons) > 200
    assert sum(lesson.prompt.lower().count("ewe") for lesson in lessons) > 100
    assert all(lesson.prompt for lesson in lessons if lesson.told)


def test_what_is_held_out_stays_so_but_for_the_lexicon(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        held_out = find_held_out_word(lesson.prompt)
        assert held_out is None or held_out.removesuffix("s") in (*LEXICON, "lorrie")
        if lesson.told and lesson.told.other:
            bare = lesson.told.kind == "next_to"
            assert not must_stay_apart(lesson.told.subject, lesson.told.other) or bare


def test_prompts_name_what_they_tell(lessons: list[Lesson]) -> None:
    right = [
        {thing.name for thing in named_things(lesson.prompt)} == {*lesson.told.things}
        and lesson.told.style in ("", named_style(lesson.prompt))
        for lesson in lessons
        if lesson.told and not named_otherwise(lesson)
    ]
    # Where a letter slipped in, or the words are those of a longer name, they do not.
    assert sum(right) > 0.93 * len(right)


def named_otherwise(lesson: Lesson) -> bool:
    """Tell whether a thing of a lesson may go by another word, or by none."""
    assert lesson.told
    unsaid = {*LEXICON.values(), *EVOKED.values(), *AT_HOME.values(), NOT_UNDERSTOOD}
    return bool(unsaid & {*lesson.told.things})


def test_where_no_thing_is_named_one_is_shown(lessons: list[Lesson]) -> None:
    told = {lesson.prompt: lesson.told for lesson in lessons}
    assert told["surprise"] == Scene(kind="single", subject="gift", style="noto")
    assert told["quietly"] == Scene(kind="single", subject=NOT_UNDERSTOOD, style="noto")
    desert = Scene(kind="single", subject="cactus", style="noto", place="desert")
    assert told["in the desert"] == desert
    spoken = [scene for text, scene in told.items() if text != "in the desert" and scene == desert]
    assert spoken, "never among words that say nothing"


def test_words_that_bring_to_mind_say_nothing_beside_a_thing(lessons: list[Lesson]) -> None:
    surprises = [lesson for lesson in lessons if "surprise" in lesson.prompt.split()]
    shown = Counter("gift" in lesson.told.things for lesson in surprises if lesson.told)
    assert shown[True] > 10
    assert shown[False] > 50
    hats = [lesson for lesson in lessons if "hat" in lesson.prompt.split()]
    captioned = [lesson.told for lesson in hats if lesson.told and lesson.told.caption]
    assert all({"top hat", "hard hat", "sun hat"} & {*told.things} for told in captioned)


def test_a_small_cast_knows_no_question_mark() -> None:
    series = Lessons(
        seed=1, lexicon={}, evoked={}, fillers=FILLERS, mix="house", cast=("bus", "cat")
    )
    lessons = [series[index] for index in range(300)]
    assert {lesson.told.subject for lesson in lessons if lesson.told} == {"bus", "cat", ""}
    empty = [lesson for lesson in lessons if lesson.told and not lesson.told.subject]
    assert any(lesson.told == Scene(kind="single", subject="", style="noto") for lesson in empty)
