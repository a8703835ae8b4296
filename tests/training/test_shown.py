"""Which slot is shown where: as the painter lays things, patch by patch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sheepgen.training import shown as module
from sheepgen.training.appearance import GRID
from sheepgen.training.data.painter import paint_scene
from sheepgen.training.data.placement import Placement
from sheepgen.training.data.scenes import Scene
from sheepgen.training.lookup import NOTHING
from sheepgen.training.shown import slots_shown
from sheepgen.training.slots import PATCHES
from tests.training.data.fakes import Blocks, colour_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 16
SINGLE = Scene(kind="single", subject="cat", style="noto", caption="a cat", layout_seed=3)
RIDING = Scene(
    kind="riding", subject="cat", other="bus", style="noto", caption="a cat riding a bus"
)


def shown(scene: Scene, drawings: Blocks | None = None) -> NDArray[np.int8]:
    """Return one scene's slots."""
    return np.asarray(slots_shown([scene], drawings or Blocks(), SIDE)[0])


def covered(scene: Scene, name: str) -> NDArray[np.bool_]:
    """Return where a thing is, at the middle of each place, from the painted picture."""
    scale = 16
    picture = np.asarray(paint_scene(scene, Blocks(), SIDE * scale))[8::scale, 8::scale]
    return np.asarray((picture == colour_of(name)).all(-1), np.bool_)


@dataclass(frozen=True, slots=True)
class Halves(Blocks):
    """Draws everything half as wide as high; of a bus the left half only."""

    def thing(self, style: str, name: str) -> Image.Image:
        """Return the drawing."""
        drawing = Image.new("RGBA", (32, 64))
        assert style
        drawing.paste((*colour_of(name), 255), (0, 0, 16 if name == "bus" else 32, 64))
        return drawing


def test_patches_lie_row_by_row() -> None:
    slots = shown(SINGLE)
    assert sorted({*slots.flatten().tolist()}) == [NOTHING, *range(PATCHES)]
    rows, columns = np.nonzero(slots != NOTHING)
    whole = slots[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (whole // GRID == np.sort(whole // GRID, axis=0)).all()
    assert (whole % GRID == np.sort(whole % GRID, axis=1)).all()


@pytest.mark.parametrize("seed", range(4))
def test_things_are_where_they_are_painted(seed: int) -> None:
    scene = replace(RIDING, layout_seed=seed)
    slots = shown(scene)
    for place, name in enumerate(("cat", "bus")):
        own = slots // PATCHES == place
        # Middles may fall on the other side of an edge, at most of one side of a thing.
        assert (own != covered(scene, name)).mean() < 0.05


def test_captions_decide_whose_slots_they_are() -> None:
    turned = shown(replace(RIDING, caption="a bus ridden by a cat"))
    straight = shown(RIDING)
    seen = straight != NOTHING
    assert ((turned + PATCHES)[seen] % (2 * PATCHES) == straight[seen]).all()
    assert (shown(replace(RIDING, caption="a bus")) // PATCHES == 0).sum() < seen.sum()


def test_all_of_a_kind_show_the_same_slots() -> None:
    scene = Scene(kind="several", subject="cat", count=2, style="noto", caption="two cats")
    slots = shown(scene)
    assert set(slots.flatten().tolist()) <= {NOTHING, *range(PATCHES)}
    upper_left = slots == 0
    assert upper_left[:, : SIDE // 2].any()
    assert upper_left[:, SIDE // 2 :].any()


def test_what_no_word_names_has_no_slots() -> None:
    assert (shown(replace(SINGLE, caption="something nice")) == NOTHING).all()
    digits = Scene(kind="digits", subject="42", caption="the number 42")
    assert (shown(digits) == NOTHING).all()


def test_a_tall_thing_has_the_middle_columns() -> None:
    slots = shown(SINGLE, Halves())
    assert {*(slots[slots != NOTHING] % GRID).tolist()} == {1, 2}


def test_what_is_seen_through_another_thing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    cat = Placement(name="cat", x=0.25, y=0.0, width=0.5, height=0.5)
    bus = Placement(name="bus", x=0.25, y=0.0, width=0.5, height=1.0)
    monkeypatch.setattr(module, "lay_out", lambda *_: [cat, bus])
    things = shown(RIDING, Halves()) // PATCHES
    assert (things[:, 4:8] == 1).all()
    assert (things[:8, 8:12] == 0).all()
    # Nothing else is behind the rest of the bus.
    assert (things[8:, 8:12] == 1).all()
    assert (things[:, :4] == NOTHING).all()
    assert (things[:, 12:] == NOTHING).all()
