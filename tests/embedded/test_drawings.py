"""Which drawings are chosen, by seed, style and colour."""

from __future__ import annotations

import pytest

from sheepgen.embedded.drawings import ChosenDrawings, Drawing, DrawingTable
from sheepgen.embedded.scene_labels import SceneLabels, Thing

TABLE = DrawingTable.of(
    [
        Drawing("cat", "noto", icon_set="noto"),  # 0
        Drawing("cat", "noto", icon_set="other"),
        Drawing("cat", "noto", "black", "noto"),
        Drawing("cat", "flat", icon_set="flat"),
        Drawing("bus", "noto", icon_set="noto"),  # 4
        Drawing("bus", "noto", icon_set="other"),
        Drawing("bus", "flat", icon_set="flat"),
        Drawing("elf", "flat", "brown", "flat"),
        Drawing("yak", "glossy", icon_set="glossy"),
        Drawing("gnu", "noto", icon_set="third"),
    ]
)
CAT, BUS, YAK, GNU = (Thing(name=name) for name in ("cat", "bus", "yak", "gnu"))


def rows(labels: SceneLabels, seeds: range) -> list[tuple[int, ...]]:
    return [TABLE.choose(labels, seed).rows for seed in seeds]


def test_seeds_count_through_a_styles_drawings_the_preferred_one_first() -> None:
    assert rows(SceneLabels(things=(CAT,)), range(4)) == [(0,), (1,), (0,), (1,)]
    assert TABLE.choose(SceneLabels(things=(CAT,)), 1).style == "noto"


def test_then_they_are_mirrored_but_for_those_with_writing() -> None:
    labels = SceneLabels(things=(CAT,))
    mirrored = [TABLE.choose(labels, seed).mirrored for seed in range(6)]
    assert mirrored == [False, False, True, True, False, False]
    beside = (CAT, Thing(name="bus", written=True))
    for things in (beside, beside[::-1]):
        labels = SceneLabels(kind="next_to", things=things)
        assert not any(TABLE.choose(labels, seed).mirrored for seed in range(4))


def test_things_of_one_scene_are_from_one_set_if_one_has_them() -> None:
    ride = SceneLabels(kind="riding", things=(CAT, BUS))
    assert rows(ride, range(3)) == [(0, 4), (1, 5), (0, 4)]
    assert rows(SceneLabels(kind="riding", things=(CAT, GNU)), range(2)) == [(0, 9), (1, 9)]


def test_a_named_style_is_kept_to_where_it_has_the_things() -> None:
    assert rows(SceneLabels(things=(CAT,), style="flat"), range(2)) == [(3,), (3,)]
    mixed = SceneLabels(kind="next_to", things=(CAT, YAK), style="flat")
    assert TABLE.choose(mixed, 4) == ChosenDrawings(rows=(3, 8), colours=("", ""), style="flat")


def test_a_drawing_of_the_wanted_colour_is_not_painted_and_others_are() -> None:
    def coloured(colour: str, style: str = "noto") -> ChosenDrawings:
        thing = Thing(name="cat", colour=colour)
        return TABLE.choose(SceneLabels(things=(thing,), style=style), 0)

    assert coloured("black") == ChosenDrawings(rows=(2,), colours=("",), style="noto")
    assert coloured("red") == ChosenDrawings(rows=(0,), colours=("red",), style="noto")
    assert coloured("black", "flat") == ChosenDrawings(rows=(3,), colours=("black",), style="flat")


def test_a_colour_of_its_own_is_one_that_some_drawing_has() -> None:
    assert TABLE.has_colour("cat", "black")
    assert not TABLE.has_colour("cat", "brown")
    assert not TABLE.has_colour("ox", "black")


def test_without_a_plain_drawing_any_will_do() -> None:
    assert TABLE.rows_for("elf", "flat") == (7,)
    assert TABLE.rows_for("elf", "noto") == TABLE.rows_for("ox", "noto") == ()
    assert (TABLE.styles("cat"), TABLE.styles("ox")) == (("noto", "flat"), ())


def test_no_thing_has_no_drawing_and_an_unknown_one_is_an_error() -> None:
    nothing = SceneLabels(kind="digits", digits="42")
    assert TABLE.choose(nothing, 2) == ChosenDrawings(rows=(), colours=(), style="")
    with pytest.raises(KeyError, match="ox"):
        TABLE.choose(SceneLabels(things=(Thing(name="ox"),)), 0)
