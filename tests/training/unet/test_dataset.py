"""What the U-Net learns from, gathered of a split of scenes by several processes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from sheepgen.training.data import dataset
from sheepgen.training.data.captions import caption_labels
from sheepgen.training.data.dataset import Split
from sheepgen.training.data.segmentation import target_token_maps
from sheepgen.training.unet import dataset as examples
from sheepgen.training.unet.dataset import gather_examples
from tests.training.data.fakes import Blocks
from tests.training.token_fakes import DRAWINGS, random_text_encoder

if TYPE_CHECKING:
    import pytest

SPLIT = Split(name="train", count=10, subset=("cat", "motorcycle", "sheep"), mix="house")


def test_scenes_are_gathered_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (examples, dataset):
        monkeypatch.setattr(place, "CHUNK", 4)
    latents = torch.arange(10.0)[:, None, None, None]
    encoder = random_text_encoder()
    gathered = gather_examples(SPLIT, latents, Blocks(), encoder, DRAWINGS, processes=2)
    scenes = [SPLIT.scene(index) for index in range(10)]
    assert torch.equal(gathered.target_tokens, target_token_maps(scenes, Blocks()))
    assert len({scene.subject for scene in scenes}) > 1
    labels = [caption_labels(scene) for scene in scenes]
    chosen = [
        replace(DRAWINGS.choose(each, 0), mirrored=scene.mirrored)
        for each, scene in zip(labels, scenes, strict=True)
    ]
    assert {scene.mirrored for scene in scenes} == {False, True}
    expected = encoder.label_tensors(labels, chosen)
    for column, alone in zip(gathered.labels, expected, strict=True):
        assert torch.equal(column, alone)
    batch = gathered.sample(6, 0.0, torch.Generator().manual_seed(0))
    rows = batch.latents.flatten().long().tolist()
    assert torch.equal(batch.tokens, encoder(*(column[rows] for column in expected)))
    assert torch.equal(batch.target_tokens, gathered.target_tokens[rows].long())
