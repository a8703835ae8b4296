"""A word that names a thing says what it looks like; a colour's name does not."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from sheepgen.training.appearance import EVENNESS, SIDE, Appearances, thumbnail
from sheepgen.training.reduction import principal_components
from tests.training.data.fakes import Blocks

CAST = ("sheep", "cat", "hot dog", "light rail train", "orange", "bus", "crescent moon", "mountain")
WIDTH = 2


@pytest.fixture(scope="module")
def appearances() -> Appearances:
    """Return what six things look like."""
    return Appearances.of(Blocks(), CAST, WIDTH)


def test_a_thumbnail_is_colour_times_opacity_in_the_middle() -> None:
    drawing = Image.new("RGBA", (100, 50), (255, 0, 51, 255))
    tiny = thumbnail(drawing).reshape(SIDE, SIDE, 4)
    assert tiny[SIDE // 2, SIDE // 2].tolist() == pytest.approx([1.0, -1.0, -0.6, 1.0])
    assert tiny[0].abs().max() == 0
    assert tiny[..., 3].mean() == pytest.approx(0.5)


def test_codes_keep_what_differs(appearances: Appearances) -> None:
    codes = torch.stack([appearances.codes[name] for name in CAST])
    assert codes.shape == (len(CAST), WIDTH)
    assert appearances.width == WIDTH
    assert codes.mean(0).abs().max() < 1e-4
    assert codes.square().mean() == pytest.approx(1.0, abs=1e-4)


def test_codes_vary_more_evenly_than_components(appearances: Appearances) -> None:
    tiny = torch.stack([thumbnail(Blocks().thing("noto", name)) for name in CAST])
    components = principal_components(tiny, WIDTH)(tiny).std(0)
    codes = torch.stack([appearances.codes[name] for name in CAST]).std(0)
    ratios = components / components[-1]
    assert ratios[0] > 1.1
    assert torch.allclose(codes / codes[-1], ratios ** (1 - EVENNESS), rtol=1e-3)


def test_things_that_look_alike_have_no_codes() -> None:
    with pytest.raises(ValueError, match="have no 0 components"):
        Appearances.of(Blocks(), ("sheep",), WIDTH)


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("a sheep riding a bus", {1: "sheep", 4: "bus"}),
        ("Two Cats.", {1: "cat"}),
        ("a hot dog, glossy style", {2: "hot dog"}),
        ("a light rail train", {3: "light rail train"}),
        ("an orange", {1: "orange"}),
        ("an orange next to a bus", {1: "orange", 5: "bus"}),
        ("an orange cat", {2: "cat"}),
        ("an orange hot dog", {3: "hot dog"}),
        ("a cat on an orange background", {1: "cat"}),
        ("a cat against orange, flat style", {1: "cat"}),
        ("a cat against orange", {1: "cat"}),
        ("against orange", {}),
        ("on the moon, a cat", {4: "cat"}),
        ("a cat in front of mountains", {1: "cat"}),
        ("a crescent moon", {2: "crescent moon"}),
        ("a penguin at night", {}),
        ("", {}),
    ],
)
def test_names_show_at_their_last_word(
    appearances: Appearances, sentence: str, shown: dict[int, str]
) -> None:
    found = appearances.shown(sentence)
    assert found.keys() == shown.keys()
    assert all(found[at] is appearances.codes[name] for at, name in shown.items())
