"""Label maps agree with painted scenes, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sheepgen.embedded.memory_tokens import (
    ALONE,
    ALONE_SIDE,
    BLOCKS,
    COMPANION_SIDE,
    MEMORY_TOKENS,
    TokenBlock,
    token_blocks,
)
from sheepgen.training.data import segmentation as module
from sheepgen.training.data.backgrounds import COLOURS
from sheepgen.training.data.layout import CELLS, Placement, is_turned
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.segmentation import (
    UNCLEAR,
    class_map,
    class_maps,
    target_token_map,
    target_token_maps,
)
from sheepgen.training.evaluation.attributes import concept_classes
from sheepgen.training.text_encoder.cell_table import CELL, _premultiplied, measure_cells
from sheepgen.training.unet.attention_supervision import NOTHING
from sheepgen.training.vae import encode_pictures
from tests.training.data.fakes import Blocks, colour_of
from tests.training.looks_fakes import CHANNELS, HOLLOW, Textured, fitted_vae

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sheepgen.embedded.scene_labels import Kind
    from sheepgen.training.data.icons import IconStore

CPU = torch.device("cpu")
SIZE = CELLS * CELL
SINGLE = Scene(kind="single", subject="cat", style="noto", background="white", layout_seed=3)
PAIR = replace(SINGLE, kind="next_to", other="bus")
SCENES = (
    SINGLE,
    PAIR,
    replace(PAIR, kind="riding"),
    replace(PAIR, kind="on_top", other="book"),
    replace(PAIR, kind="wearing", other="crown"),
    replace(PAIR, kind="holding", other="balloon"),
    *(replace(SINGLE, kind="several", count=count) for count in (2, 3, 4)),
    replace(SINGLE, mirrored=True),
    replace(PAIR, kind="holding", other="balloon", mirrored=True),
    replace(PAIR, mirrored=True),
)
LIKENESS = 1e-3
"""How far latents may be from looks of some units: float32, summed in another order."""


def tokens_of(scene: Scene, icons: IconStore | None = None) -> NDArray[np.int16]:
    """Return a scene's target tokens."""
    return target_token_map(scene, icons or Blocks())


def classes_of(scene: Scene, icons: IconStore | None = None) -> NDArray[np.int16]:
    """Return a scene's classes."""
    return class_map(scene, icons or Blocks())


def blocks_of(scene: Scene) -> Iterator[tuple[str, TokenBlock]]:
    """Return each concept's name and the tokens that hold its icon."""
    names = list(scene.things)
    return zip(names, token_blocks(len(names), alone=scene.kind == "single"), strict=True)


def painted(scene: Scene, name: str) -> NDArray[np.bool_]:
    """Return which cells of the painted scene have a thing's colour, all of it or none."""
    picture = np.asarray(paint_scene(scene, Blocks(), SIZE))
    own = (picture == colour_of(name)).all(-1).reshape(CELLS, CELL, CELLS, CELL)
    cells: NDArray[np.bool_] = own.all((1, 3))
    assert (cells == own.any((1, 3))).all()
    return cells


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.kind}-{scene.count}")
@pytest.mark.parametrize("seed", range(3))
def test_concepts_are_where_they_are_painted(scene: Scene, seed: int) -> None:
    scene = replace(scene, layout_seed=seed)
    classes, nowhere = classes_of(scene), np.ones((CELLS, CELLS), np.bool_)
    for name in scene.things:
        where = painted(scene, name)
        assert where.any()
        assert ((classes == concept_classes().index(name)) == where).all()
        nowhere &= ~where
    assert ((classes == NOTHING) == nowhere).all()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.kind}-{scene.count}")
def test_tokens_are_where_their_concepts_are(scene: Scene) -> None:
    tokens, classes = tokens_of(scene), classes_of(scene)
    labels = np.full_like(classes, NOTHING)
    for name, block in blocks_of(scene):
        numbers = np.arange(MEMORY_TOKENS)[block.tokens]
        labels[(tokens >= numbers[0]) & (tokens <= numbers[-1])] = concept_classes().index(name)
    assert (labels == classes).all()


def test_tokens_of_a_single_icon_are_row_by_row() -> None:
    tokens = tokens_of(SINGLE)
    rows, columns = np.nonzero(tokens != NOTHING)
    assert len(rows) == MEMORY_TOKENS == ALONE.side**2
    assert (tokens[rows, columns] == np.arange(MEMORY_TOKENS)).all()
    assert np.ptp(rows) == np.ptp(columns) == ALONE.side - 1


def test_two_concepts_have_a_block_each() -> None:
    tokens = tokens_of(PAIR)
    for block, half in zip(BLOCKS, (tokens[:, : CELLS // 2], tokens[:, CELLS // 2 :]), strict=True):
        assert (half[half != NOTHING] == np.arange(MEMORY_TOKENS)[block.tokens]).all()


def test_what_is_behind_shows_the_rest() -> None:
    rider, ridden = BLOCKS
    tokens = tokens_of(replace(PAIR, kind="riding"))
    assert (tokens[tokens >= ridden.first] == np.arange(MEMORY_TOKENS)[ridden.tokens]).all()
    rows, columns = np.nonzero((tokens != NOTHING) & (tokens < ridden.first))
    assert 0 < len(rows) < rider.side**2
    own = tokens[rows, columns]
    assert (own == (rows - rows.min()) * rider.side + columns - columns.min()).all()


def test_all_of_a_kind_have_the_same_tokens() -> None:
    tokens = tokens_of(replace(SINGLE, kind="several", count=2))
    for half in (tokens[:, : CELLS // 2], tokens[:, CELLS // 2 :]):
        assert (half[half != NOTHING] == np.arange(COMPANION_SIDE**2)).all()


def test_what_is_worn_shows_every_second_cell_and_which_ones_differs_from_scene_to_scene() -> None:
    block = BLOCKS[1]
    own = np.arange(MEMORY_TOKENS)[block.tokens].reshape(block.side, block.side)
    told = []
    for seed in range(4):
        tokens = tokens_of(replace(PAIR, kind="wearing", other="crown", layout_seed=seed))
        shown = tokens[tokens >= block.first].reshape(block.side // 2, block.side // 2)
        assert (own[seed // 2 :: 2, seed % 2 :: 2] == shown).all()
        told.append(shown)
    assert (np.sort(told, axis=None) == own.flatten()).all()


def test_maps_of_several_scenes_are_stacked() -> None:
    for stacked, of_one in ((target_token_maps, tokens_of), (class_maps, classes_of)):
        maps = stacked([SINGLE, PAIR], Blocks())
        assert maps.shape == (2, CELLS, CELLS)
        assert maps.dtype == torch.int16
        for own, scene in zip(maps, (SINGLE, PAIR), strict=True):
            assert (np.asarray(own) == of_one(scene)).all()


@dataclass(frozen=True, slots=True)
class Halves(Blocks):
    """Draws everything half as wide as high; of a bus the left half only."""

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the drawing."""
        assert style
        drawing = Image.new("RGBA", (32, 64))
        drawing.paste((*colour_of(name), 255), (0, 0, 16 if name == "bus" else 32, 64))
        return drawing


def test_what_is_seen_through_another_icon_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    cat = Placement(name="cat", x=0.375, y=0.0, width=0.25, height=0.5)
    bus = Placement(name="bus", x=0.375, y=0.25, width=0.25, height=0.5)
    monkeypatch.setattr(module, "lay_out", lambda *_: [cat, bus])
    tokens, classes = tokens_of(PAIR, Halves()), classes_of(PAIR, Halves())
    own = np.arange(COMPANION_SIDE**2).reshape(COMPANION_SIDE, COMPANION_SIDE)
    expected = np.full((CELLS, CELLS), NOTHING)
    expected[:16, 8:24] = own
    # What of the bus is transparent takes the place of what else is, but not of the cat.
    expected[8:24, 8:24] = COMPANION_SIDE**2 + own
    expected[8:16, 16:20] = own[8:, 8:12]
    assert (tokens == expected).all()
    expected[:] = NOTHING
    expected[:16, 12:20] = concept_classes().index("cat")
    expected[8:24, 12:16] = concept_classes().index("bus")
    assert (classes == expected).all()


def test_concepts_that_the_classifier_does_not_know_are_unclear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "concept_classes", lambda: ("cat",))
    classes = classes_of(PAIR, Blocks())
    assert {*classes.ravel().tolist()} == {0, UNCLEAR, NOTHING}


@dataclass(frozen=True, slots=True)
class Low(Blocks):
    """Draws everything a quarter as high as wide."""

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the drawing."""
        assert style
        return Image.new("RGBA", (64, 16), (*colour_of(name), 255))


def test_a_low_icon_is_in_the_lowest_rows_of_its_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cat = Placement(name="cat", x=0.25, y=0.625, width=0.5, height=0.125)
    monkeypatch.setattr(module, "lay_out", lambda *_: [cat])
    expected = np.full((CELLS, CELLS), NOTHING)
    expected[20:24, 8:24] = concept_classes().index("cat")
    assert (classes_of(PAIR, Low()) == expected).all()
    # Its tokens also cover what is empty above it.
    expected[:] = NOTHING
    expected[8:24, 8:24] = np.arange(COMPANION_SIDE**2).reshape(COMPANION_SIDE, COMPANION_SIDE)
    assert (tokens_of(PAIR, Low()) == expected).all()


@dataclass(frozen=True, slots=True)
class Pale(Blocks):
    """Draws everything as a square that is as opaque as this, of 255."""

    opacity: int = 0

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the drawing."""
        assert style
        return Image.new("RGBA", (64, 64), (*colour_of(name), self.opacity))


@pytest.mark.parametrize(("opacity", "seen"), [(63, False), (64, True), (255, True)])
def test_a_quarter_of_opacity_is_enough_to_be_seen(opacity: int, seen: bool) -> None:
    classes = classes_of(SINGLE, Pale(opacity))
    assert (classes != NOTHING).sum() == (ALONE_SIDE**2 if seen else 0)


def test_what_is_outside_of_the_picture_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    own = np.arange(COMPANION_SIDE**2).reshape(COMPANION_SIDE, COMPANION_SIDE)
    expected = np.full((CELLS, CELLS), NOTHING)
    cat = Placement(name="cat", x=0.0, y=-0.25, width=0.25, height=0.5)
    monkeypatch.setattr(module, "lay_out", lambda *_: [cat])
    expected[:8, :12] = own[8:, 4:]
    assert (tokens_of(PAIR, Halves()) == expected).all()
    cat = replace(cat, x=0.875, y=0.75)
    expected[:] = NOTHING
    expected[24:, 24:] = own[:8, :8]
    assert (tokens_of(PAIR, Halves()) == expected).all()


@dataclass(frozen=True, slots=True)
class Inked(Blocks):
    """Writes every digit as a square as large as digits are."""

    def digit(self, digit: int, sample: int) -> Image.Image:
        """Return the square."""
        assert digit + sample >= 0
        picture = Image.new("L", (28, 28))
        ImageDraw.Draw(picture).rectangle((4, 4, 23, 23), fill=255)
        return picture


@pytest.mark.parametrize("digits", ["7", "42"])
def test_digits_are_where_they_are_written_and_have_no_tokens(digits: str) -> None:
    scene = Scene(kind="digits", subject=digits, background="white")
    classes = classes_of(scene)
    assert (tokens_of(scene) == NOTHING).all()
    assert (classes != NOTHING).all()
    seen = [concept_classes()[number] for number in classes[CELLS // 2] if number != UNCLEAR]
    assert list(dict.fromkeys(seen)) == [f"digit {digit}" for digit in digits]
    for seed in range(8):
        picture = paint_scene(replace(scene, layout_seed=seed), Inked(), SIZE)
        middles = np.asarray(picture)[CELL // 2 :: CELL, CELL // 2 :: CELL]
        assert middles[classes != UNCLEAR].max() < 60


SHADOWLESS = replace(SINGLE, subject=HOLLOW)


@pytest.mark.parametrize("kind", ["single", "several", "next_to"])
def test_what_faces_right_is_mirrored_and_empty_where_the_backdrop_is_seen(kind: Kind) -> None:
    other, count = ("star" if kind == "next_to" else ""), 1 + (kind == "several")
    scene = replace(SHADOWLESS, kind=kind, other=other, count=count)
    picture = np.asarray(paint_scene(scene, Textured(), SIZE))
    middles = picture[CELL // 2 :: CELL, CELL // 2 :: CELL]
    empty = (middles == COLOURS[scene.background]).all(-1)
    assert ((classes_of(scene, Textured()) == NOTHING) == empty).all()


@pytest.mark.parametrize(
    "scene",
    [
        SHADOWLESS,
        replace(SHADOWLESS, layout_seed=8, background="blue"),
        replace(SHADOWLESS, kind="several", count=2),
        replace(SHADOWLESS, kind="next_to", other="star", background="green"),
        replace(SHADOWLESS, kind="next_to", subject="star", other=HOLLOW),
        # Their shadows are beside them, or hidden.
        replace(PAIR, kind="riding"),
        replace(PAIR, kind="wearing", other="crown"),
        replace(SHADOWLESS, mirrored=True),
        replace(PAIR, kind="wearing", other="crown", mirrored=True),
    ],
    ids=lambda scene: f"{scene.kind}-{scene.subject}-{scene.background}-{scene.mirrored}",
)
def test_latents_are_those_of_the_target_tokens(scene: Scene) -> None:
    """The point of it all: painting an icon is copying what its tokens hold."""
    drawings, vae = Textured(), fitted_vae()
    picture = np.asarray(paint_scene(scene, drawings, SIZE))
    empty = np.full_like(picture, COLOURS[scene.background])
    both = torch.cat([*encode_pictures(vae, np.stack([picture, empty]), CPU)])
    latents, backdrop = both.permute(0, 2, 3, 1)
    with torch.inference_mode():
        gray = vae.encode(torch.zeros(1, 3, CELL, CELL)).latents * vae.config.scaling_factor
    looks = torch.full((MEMORY_TOKENS, CHANNELS + 4), torch.nan)
    for name, block in blocks_of(scene):
        if scene.kind == "wearing" and name == scene.other:
            # That is shown smaller than its block.
            continue
        icon = drawings.icon(scene.style, name)
        if is_turned(scene.style, name) != scene.mirrored:
            icon = icon.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        smaller, larger = torch.split(
            measure_cells([icon], vae)[0], [COMPANION_SIDE**2, ALONE_SIDE**2]
        )
        looks[block.tokens] = larger if block.side == ALONE_SIDE else smaller
    tokens = target_token_maps([scene], drawings)[0].long()
    told = looks[tokens]
    # Cells that are opaque all over, or not at all.
    plain = (tokens != NOTHING) & (told[..., CHANNELS + 1 :].abs().amax(-1) < LIKENESS)
    transparency = 1 - told[plain][:, CHANNELS, None] / 2
    expected = told[plain][:, :CHANNELS] + transparency * (backdrop[plain] - gray.flatten())
    torch.testing.assert_close(latents[plain] - gray.flatten(), expected, atol=LIKENESS, rtol=0)
    assert (transparency < LIKENESS).sum() >= 0.7 * COMPANION_SIDE**2
    assert (transparency > 1 - LIKENESS).any() == (HOLLOW in scene.things)
    assert told[plain].abs().mean() > 0.1


@dataclass(frozen=True, slots=True)
class Slim(Blocks):
    """Draws everything as high as renderings are, and less wide."""

    width: int = 0

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the drawing."""
        assert style
        return Image.new("RGBA", (self.width, 320), (*colour_of(name), 255))


def test_slim_things_are_measured_where_they_are_painted() -> None:
    moved = {}
    for width in range(160, 180):
        drawings = Slim(width)
        picture = np.asarray(paint_scene(SINGLE, drawings, SIZE))
        seen = np.argwhere((picture == colour_of("cat")).all(-1))
        square = np.argwhere(tokens_of(SINGLE, drawings) != NOTHING).min(0) * CELL
        _, opacity = _premultiplied(drawings.icon("noto", "cat"), ALONE_SIDE * CELL)
        measured = np.argwhere(np.asarray(opacity[0]) == 1)
        assert len(seen) == len(measured)
        moved[width] = (seen - square - measured).any()
    assert [width for width, by_a_pixel in moved.items() if by_a_pixel] == []
