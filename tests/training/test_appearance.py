"""What things look like: whole, patch by patch, in a style and in a colour."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from sheepgen.training.appearance import GRID, SIDE, Appearances, patches_of, thumbnail
from sheepgen.training.data.held_out import held_out_drawings
from tests.training.data.fakes import Blocks

CAST = ("sheep", "cat", "hot dog", "tram", "orange", "bus", "crescent moon", "mountain")
WIDTH = 3


@pytest.fixture(scope="module")
def appearances() -> Appearances:
    """Return what eight things look like."""
    return Appearances.fitted(Blocks(), CAST, WIDTH)


def test_a_thumbnail_is_colour_times_opacity_in_the_middle() -> None:
    drawing = Image.new("RGBA", (100, 50), (255, 0, 51, 255))
    tiny = thumbnail(drawing)
    assert tiny.shape == (SIDE, SIDE, 4)
    assert tiny[SIDE // 2, SIDE // 2].tolist() == pytest.approx([1.0, -1.0, -0.6, 1.0])
    assert tiny[0].abs().max() == 0
    assert tiny[..., 3].mean() == pytest.approx(0.5)


def test_patches_go_row_by_row() -> None:
    tiny = torch.zeros(SIDE, SIDE, 4)
    side = SIDE // GRID
    tiny[side : 2 * side, 2 * side : 3 * side] = 1.0
    patches = patches_of(tiny)
    assert patches.shape == (GRID * GRID, side * side * 4)
    assert patches.mean(1).nonzero().flatten().tolist() == [GRID + 2]


def test_codes_keep_what_differs(appearances: Appearances) -> None:
    looks = [appearances.look("noto", name) for name in CAST]
    wholes = torch.stack([look.whole for look in looks])
    patches = torch.stack([look.patches for look in looks])
    assert wholes.shape == (len(CAST), WIDTH)
    assert patches.shape == (len(CAST), GRID * GRID, WIDTH)
    assert appearances.width == WIDTH
    for codes in (wholes, patches.flatten(0, 1)):
        assert codes.mean(0).abs().max() < 1e-3
        assert len({tuple(code.tolist()) for code in codes}) == len(CAST)


def test_patches_tell_their_first_components_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Appearances.fitted(Blocks(), CAST, WIDTH)
    monkeypatch.setattr("sheepgen.training.appearance.PATCH_COMPONENTS", 2)
    cut = Appearances.fitted(Blocks(), CAST, WIDTH)
    codes = torch.stack([cut.look("noto", name).patches for name in CAST])
    assert codes[..., 2:].abs().max() == 0
    # What is left speaks as loud as everything did.
    assert codes.square().mean().item() == pytest.approx(1.0, rel=0.2)
    told = codes[..., :2]
    of_all = torch.stack([whole.look("noto", name).patches for name in CAST])[..., :2]
    louder = told.norm() / of_all.norm()
    torch.testing.assert_close(told, louder * of_all, atol=1e-4, rtol=0)


def test_a_colour_changes_the_look(appearances: Appearances) -> None:
    plain, red = appearances.look("noto", "bus"), appearances.look("noto", "bus", "red")
    assert (plain.whole - red.whole).abs().max() > 0.01
    assert appearances.look("noto", "bus", "red") is red


def test_what_no_training_scene_shows_is_looked_up_in_another_style(
    appearances: Appearances,
) -> None:
    assert ("fluent-emoji", "lemon") in held_out_drawings()
    assert appearances.look("fluent-emoji", "lemon") is appearances.look("noto", "lemon")
    assert appearances.look("fluent-emoji", "orange") is not appearances.look("noto", "orange")


def test_a_small_cast_has_short_codes_of_wholes() -> None:
    appearances = Appearances.fitted(Blocks(), ("sheep", "cat"), WIDTH)
    assert appearances.look("noto", "cat").whole.shape == (WIDTH,)


def test_things_that_look_alike_have_no_codes() -> None:
    with pytest.raises(ValueError, match="have no"):
        Appearances.fitted(Blocks(), ("lemon",), WIDTH)
