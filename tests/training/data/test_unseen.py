"""What the autoencoder is measured on is what nothing was trained on."""

from __future__ import annotations

from sheepgen.training.data.icon_sets import DRAWING_SETS
from sheepgen.training.data.splits import held_out_drawings
from sheepgen.training.data.unseen import unseen_scenes


def test_every_scene_shows_what_is_held_out() -> None:
    of_drawings, of_a_set = unseen_scenes().values()
    assert min(len(of_drawings), len(of_a_set)) >= 150
    for scene in of_drawings:
        assert {(scene.style, name) for name in scene.things} & held_out_drawings()
    assert all(DRAWING_SETS[scene.style].held_out for scene in of_a_set)
