"""Scenes: repeatable, balanced, possible, and free of what is held out."""

from __future__ import annotations

from collections import Counter

import pytest

from sheepgen.embedded.scene_labels import KINDS, RELATIONS
from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.captions import plain_caption
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import (
    DRAWING_SETS,
    HOUSE_STYLE,
    MIXES,
    STYLES,
    TRAINING_SETS,
)
from sheepgen.training.data.sampling import (
    concept_pool,
    concepts_for,
    sample_scene,
    styles_for,
)
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.splits import (
    held_out_drawings,
    held_out_pairs,
)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene("1/train", index) for index in range(4 * len(concept_pool()))]


def test_a_scene_depends_on_seed_and_index_only() -> None:
    forth = [sample_scene("1/train", index) for index in range(30)]
    back = [sample_scene("1/train", index) for index in reversed(range(30))]
    assert forth == back[::-1]
    assert sample_scene("1/test", 3) != sample_scene("1/train", 3)


def test_scenes_survive_json(scenes: list[Scene]) -> None:
    for scene in scenes[:200]:
        assert Scene.from_json(scene.to_json()) == scene


def test_all_concepts_are_sampled(scenes: list[Scene]) -> None:
    seen = Counter(name for scene in scenes for name in scene.things)
    assert seen.keys() == concepts().keys()
    assert min(seen.values()) >= 4
    assert min(seen["sheep"], seen["motorcycle"]) > 5 * seen.total() / len(seen)


def test_all_kinds_styles_places_and_colours_occur(scenes: list[Scene]) -> None:
    shares = Counter(scene.kind for scene in scenes)
    assert set(shares) == set(KINDS)
    assert shares["riding"] >= 0.12 * len(scenes)
    assert min(shares.values()) >= 0.02 * len(scenes)
    assert {scene.style for scene in scenes} == {"", *STYLES}
    assert {scene.place for scene in scenes} == {"", *PLACES}
    assert {scene.time for scene in scenes} == {"", *TIMES}
    assert {scene.weather for scene in scenes} == {"", *WEATHERS}
    assert {scene.background for scene in scenes} == {"", *COLOURS}
    assert {scene.colour for scene in scenes} == {"", *COLOURS}


def test_the_house_style_is_most_frequent_and_others_are_always_named(scenes: list[Scene]) -> None:
    shares = Counter(scene.style for scene in scenes)
    house, glossy, flat = (shares[style] / shares.total() for style in MIXES["styles"])
    # Where a concept lacks the flat icon, the others come more often.
    assert house == pytest.approx(0.7, abs=0.06)
    assert glossy > flat > 0.05
    for scene in scenes:
        if scene.style not in ("", HOUSE_STYLE):
            assert plain_caption(scene).endswith(DRAWING_SETS[scene.style].style_words[0])
    assert not any(" style" in plain_caption(s) for s in scenes if s.style == HOUSE_STYLE)


def test_all_sets_are_sampled() -> None:
    series = [
        sample_scene("1/pictures", index, mix="all sets") for index in range(len(concept_pool()))
    ]
    shares = Counter(scene.style for scene in series if scene.style)
    assert set(shares) == set(TRAINING_SETS)
    # Most concepts have icons in two of the sets only.
    assert min(shares.values()) > 0.015 * shares.total()


def test_a_subset_has_no_other_concepts() -> None:
    subset = ("sheep", "motorcycle", "apple")
    series = [sample_scene("1/small", index, subset=subset) for index in range(200)]
    assert {name for scene in series for name in scene.things} == set(subset)
    assert {"single", "several", "next_to"} <= {scene.kind for scene in series}
    assert not [scene for scene in series if scene.kind in ("wearing", "digits")]


def test_an_anchor_needs_an_icon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "noto-v1" not in concepts()["raccoon"].drawings
    monkeypatch.setitem(MIXES, "early", {"noto-v1": 1.0})
    with pytest.raises(ValueError, match="can show 'raccoon'"):
        sample_scene("1", 0, mix="early", subset=("raccoon",))


def test_held_out_pairs_never_meet(scenes: list[Scene]) -> None:
    apart = {frozenset(pair[1:]) for pair in held_out_pairs()}
    assert not [scene for scene in scenes if frozenset(scene.things) in apart]


def test_held_out_icons_are_never_shown(scenes: list[Scene]) -> None:
    shown = {(scene.style, name) for scene in scenes for name in scene.things}
    assert not shown & held_out_drawings()


def test_testing_may_see_held_out_icons() -> None:
    style, name = min(held_out_drawings())
    assert style in styles_for("single", name, "", testing=True)
    assert style not in styles_for("single", name, "")


def test_held_out_pairs_are_possible() -> None:
    for relation, subject, other in held_out_pairs():
        assert relation in RELATIONS
        assert styles_for(relation, subject, other, testing=True)


def test_nearly_every_rider_and_every_seat_is_sampled(scenes: list[Scene]) -> None:
    riding = [scene for scene in scenes if scene.kind == "riding"]
    riders = {scene.subject for scene in riding}
    assert len(riders) > 0.97 * len(concepts_for("rides"))
    assert {scene.other for scene in riding} == set(concepts_for("ridden"))


def test_concepts_have_what_their_roles_need(scenes: list[Scene]) -> None:
    for scene in scenes:
        for name in scene.things:
            assert scene.style in concepts()[name].drawings
        if scene.kind == "riding":
            assert scene.style in concepts()[scene.other].seats
        if scene.kind == "holding":
            holder = concepts()[scene.subject]
            assert "holds" in holder.roles or scene.style not in holder.heads
        if scene.kind != "several":
            assert scene.count == 1
        assert not {scene.colour, scene.other_colour} & {scene.background} - {""}


def test_a_scene_counts_its_concepts() -> None:
    scene = Scene(kind="riding", subject="cat", other="bus")
    assert scene.things == {"cat": 1, "bus": 1}
    assert scene.relation == "riding"
    assert Scene(kind="several", subject="cat", count=3).things == {"cat": 3}
    assert Scene(kind="several", subject="cat", count=3).relation == ""
    assert Scene(kind="digits", subject="7").things == {}
