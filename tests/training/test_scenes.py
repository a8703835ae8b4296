"""Scenes: equal seeds give equal scenes, captions name the cast, held-out pairs never meet."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from PIL import Image, ImageDraw

from sheepgen.training.concepts import (
    COLOURS,
    CONCEPTS,
    DIGITS,
    PLACES,
    RIDERS,
    VEHICLES,
    held_out_pairs,
    with_article,
)
from sheepgen.training.scenes import Drawings, Scene, compose_scene, render_scene, sample_scene

SIZE = 64


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    """Return a disc of its own colour for each concept, a bar for each digit."""
    rng = random.Random(1)
    things = {}
    for name in CONCEPTS:
        picture = Image.new("RGBA", (96, 96))
        colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256), 255)
        ImageDraw.Draw(picture).ellipse((0, 0, 95, 95), fill=colour)
        things[name] = picture
    return Drawings(things, [[Image.new("L", (28, 28), 25 * digit)] for digit in range(10)])


def test_the_model_is_taught_enough_things() -> None:
    assert len(CONCEPTS) >= 60
    assert {"sheep", "motorcycle"} <= set(CONCEPTS)
    assert {concept.group for concept in CONCEPTS.values()} == {
        "animal", "building", "food", "object", "plant", "vehicle",
    }  # fmt: skip


def test_a_tenth_of_all_riding_pairs_is_held_out() -> None:
    pairs = {(rider, vehicle) for rider in RIDERS for vehicle in VEHICLES}
    assert held_out_pairs() <= pairs
    assert len(held_out_pairs()) >= len(pairs) / 10
    assert ("sheep", "motorcycle") in held_out_pairs()


def test_every_rider_and_every_vehicle_is_still_seen_riding() -> None:
    seen = {(r, v) for r in RIDERS for v in VEHICLES} - held_out_pairs()
    assert {rider for rider, _ in seen} == set(RIDERS)
    assert {vehicle for _, vehicle in seen} == set(VEHICLES)


def test_no_scene_holds_a_held_out_pair() -> None:
    for index in range(20_000):
        scene = sample_scene(f"1/train/{index}")
        assert (scene.subject, scene.other) not in held_out_pairs()
        assert (scene.other, scene.subject) not in held_out_pairs()


def test_the_judge_may_see_them() -> None:
    scenes = [sample_scene(f"5/judge/{index}", allow_held_out=True) for index in range(2_000)]
    assert any((scene.subject, scene.other) in held_out_pairs() for scene in scenes)


def test_equal_seeds_give_equal_scenes() -> None:
    assert sample_scene("1/train/7") == sample_scene("1/train/7")
    assert len({sample_scene(f"1/train/{index}") for index in range(50)}) == 50


def test_all_kinds_things_places_and_colours_occur() -> None:
    scenes = [sample_scene(f"1/train/{index}") for index in range(5_000)]
    kinds = Counter(scene.kind for scene in scenes)
    assert set(kinds) == {"digit", "next_to", "riding", "several", "single"}
    assert {scene.subject for scene in scenes if scene.kind == "single"} == set(CONCEPTS)
    assert {scene.backdrop for scene in scenes} == {"", *PLACES, *COLOURS}


@pytest.mark.parametrize(
    ("scene", "caption"),
    [
        (("single", "apple", "", 1, ""), "an apple"),
        (("several", "mouse", "", 2, "night"), "two mice at night"),
        (("several", "cat", "", 3, "blue"), "three cats on a blue background"),
        (("digit", "7", "", 1, ""), "digit seven"),
    ],
)
def test_captions(scene: tuple[str, str, str, int, str], caption: str) -> None:
    kind, subject, other, count, backdrop = scene
    made = compose_scene(
        random.Random(3), kind, subject, other=other, count=count, backdrop=backdrop  # type: ignore[arg-type]
    )  # fmt: skip
    assert made.caption.endswith(caption)


def test_captions_name_the_whole_cast() -> None:
    for index in range(2_000):
        scene = sample_scene(f"1/train/{index}")
        for name in filter(None, (scene.subject, scene.other)):
            if scene.kind == "digit":
                words: tuple[str, ...] = (DIGITS[int(name)],)
            else:
                concept = CONCEPTS[name]
                words = (name, concept.plural_name, *concept.synonyms)
            assert any(word in scene.caption for word in words), scene


def test_articles() -> None:
    assert with_article("owl") == "an owl"
    assert with_article("red fox") == "a red fox"


def test_a_scene_is_painted_the_same_way_every_time(drawings: Drawings) -> None:
    for index in range(40):
        scene = sample_scene(f"1/train/{index}")
        first, second = (render_scene(scene, drawings, SIZE) for _ in range(2))
        assert first.size == (SIZE, SIZE)
        assert first.tobytes() == second.tobytes()


def test_the_rider_is_above_the_vehicle_and_touches_it(drawings: Drawings) -> None:
    scene = Scene(
        kind="riding", subject="cat", other="bus", backdrop="white", caption="", layout_seed=1
    )
    picture = render_scene(scene, drawings, SIZE)
    rows = {}
    for name in ("cat", "bus"):
        colour = drawings.things[name].getpixel((48, 48))
        assert isinstance(colour, tuple)
        rows[name] = [
            y for y in range(SIZE) for x in range(SIZE) if picture.getpixel((x, y)) == colour[:3]
        ]
    assert min(rows["cat"]) < min(rows["bus"])
    assert max(rows["cat"]) < max(rows["bus"])
    assert max(rows["cat"]) >= min(rows["bus"])


@pytest.mark.parametrize("backdrop", list(PLACES))
def test_places_have_a_sky_and_a_ground(drawings: Drawings, backdrop: str) -> None:
    scene = Scene(kind="single", subject="star", backdrop=backdrop, caption="", layout_seed=4)
    picture = render_scene(scene, drawings, SIZE)
    top, bottom = picture.getpixel((1, 0)), picture.getpixel((1, SIZE - 3))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert sum(abs(a - b) for a, b in zip(top, bottom, strict=True)) > 15
