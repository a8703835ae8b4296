"""Labels of captions: what a caption leaves out of a scene's surroundings is left out of them."""

from __future__ import annotations

from dataclasses import replace

from sheepgen.embedded.scene_labels import SceneLabels, Thing
from sheepgen.training.data.caption_labels import caption_labels
from sheepgen.training.data.scene import Scene

SCENE = Scene(
    kind="riding", subject="sheep", other="motorcycle", other_colour="red", style="noto",
    place="beach", time="night", caption="a sheep riding a red motorcycle",
)  # fmt: skip
LABELS = SceneLabels(
    kind="riding",
    things=(Thing(name="sheep"), Thing(name="motorcycle", colour="red")),
    count=1,
    style="noto",
)


def test_surroundings_are_labelled_if_the_caption_mentions_them() -> None:
    assert caption_labels(SCENE) == LABELS
    at_night = replace(SCENE, caption=f"{SCENE.caption} at night")
    assert caption_labels(at_night) == replace(LABELS, time="night")
    there = replace(SCENE, caption=f"{SCENE.caption} on a beach at night")
    assert caption_labels(there) == replace(LABELS, place="beach", time="night")


def test_a_colour_of_a_thing_is_not_the_background_s() -> None:
    scene = replace(SCENE, place="", time="", background="red")
    assert caption_labels(scene) == LABELS
    behind = replace(scene, caption=f"{SCENE.caption} on a red background")
    assert caption_labels(behind) == replace(LABELS, background="red")


def test_digits_are_no_things() -> None:
    scene = Scene(kind="digits", subject="42", caption="the handwritten number 42")
    labels = caption_labels(scene)
    assert (labels.things, labels.digits) == ((), "42")
    several = Scene(
        kind="several", subject="cat", count=3, colour="blue", caption="three blue cats"
    )
    assert caption_labels(several).things == (Thing(name="cat", colour="blue"),)
    assert caption_labels(several).count == 3
