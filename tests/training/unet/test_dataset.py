"""What the U-Net learns from, gathered of a split of scenes by several processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.data import dataset
from sheepgen.training.data.dataset import Split
from sheepgen.training.data.segmentation import target_token_maps
from sheepgen.training.unet import dataset as examples
from sheepgen.training.unet.dataset import gather_examples
from tests.training.data.fakes import Blocks
from tests.training.text_fakes import random_states

if TYPE_CHECKING:
    import pytest

SPLIT = Split(name="train", count=10, subset=("cat", "motorcycle", "sheep"), mix="house")


def test_scenes_are_gathered_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (examples, dataset):
        monkeypatch.setattr(place, "CHUNK", 4)
    states = random_states()
    latents = torch.arange(10.0)[:, None, None, None]
    gathered = gather_examples(SPLIT, latents, Blocks(), states, processes=2)
    scenes = [SPLIT.scene(index) for index in range(10)]
    assert torch.equal(gathered.slots_shown, target_token_maps(scenes, Blocks()))
    assert len({scene.subject for scene in scenes}) > 1
    for column, expected in zip(gathered.notes, states.noted(scenes), strict=True):
        assert torch.equal(column, expected)
    drawn = gathered.draw(6, 0.0, torch.Generator().manual_seed(0))
    rows = drawn.latents.flatten().long().tolist()
    assert torch.equal(drawn.states, states.of([scenes[row] for row in rows]))
    assert torch.equal(drawn.slots_shown, gathered.slots_shown[rows].long())
