"""Lessons are repeatable, and say what they are said to tell."""

from __future__ import annotations

from collections import Counter

import pytest

from sheepgen.training.data.held_out import find_held_out_word, must_stay_apart
from sheepgen.training.data.scenes import KINDS, Kind, Scene
from sheepgen.training.lessons import Lesson, Lessons, renamed
from tests.training.data.naming import named_style, named_things

LEXICON = {"ewe": "sheep", "lorry": "truck"}


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    series = Lessons(seed=1, lexicon=LEXICON, fillers=["quietly"])
    return [series[index] for index in range(3_000)]


def test_a_lesson_depends_on_seed_and_index_only(lessons: list[Lesson]) -> None:
    assert Lessons(seed=1, lexicon=LEXICON, fillers=["quietly"])[17] == lessons[17]
    assert Lessons(seed=2, lexicon=LEXICON, fillers=["quietly"])[17] != lessons[17]


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
        if lesson.told and not {*LEXICON.values()} & {*lesson.told.things}
    ]
    # Where a letter slipped in, or the words are those of a longer name, they do not.
    assert sum(right) > 0.93 * len(right)


@pytest.mark.parametrize(
    ("caption", "other", "count", "name", "word", "expected"),
    [
        ("A sheep riding a bus", "bus", 1, "sheep", "ewe", "an ewe riding a bus"),
        ("an owl next to a bus", "bus", 1, "owl", "kestrel", "a kestrel next to a bus"),
        ("two red sheep at night", "", 2, "sheep", "ewe", "two red ewes at night"),
        ("three buses", "", 3, "bus", "trolley", "three trolleys"),
        ("a dog with a hot dog", "hot dog", 1, "dog", "pug", "a dog with a hot dog"),
        ("a shep at night", "", 1, "sheep", "ewe", "a shep at night"),
    ],
)
def test_things_go_by_other_words(
    caption: str, other: str, count: int, name: str, word: str, expected: str
) -> None:
    kind: Kind = "next_to" if other else ("single" if count == 1 else "several")
    subject = name if not other or caption.split()[1] == name else "owl"
    scene = Scene(kind=kind, subject=subject, other=other, count=count, style="noto")
    assert renamed(caption, scene, name, word) == expected
