"""Latents on disk: every scene once, in order, and added to without doing anything again."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.errors import ModelError
from sheepgen.training.config import AutoencoderConfig
from sheepgen.training.data import dataset
from sheepgen.training.data.dataset import Split, paint_pictures
from sheepgen.training.unet import latents as module
from sheepgen.training.unet.latents import encode_scenes, load_latents
from sheepgen.training.vae import build_autoencoder, encode_pictures
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sheepgen.training.trainer import TrainStep

CPU = torch.device("cpu")
SPLIT = Split(name="train", count=10, size=32)
VAE = AutoencoderConfig(width=8, decoder_blocks=(1, 0, 0), latent_channels=3)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (module, dataset):
        monkeypatch.setattr(place, "CHUNK", 4)


def encode(split: Split, folder: Path) -> Iterator[TrainStep]:
    """Encode a split with an untrained autoencoder."""
    vae = build_autoencoder(VAE).eval()
    return encode_scenes(split, Blocks(), vae, folder, CPU, processes=1)


def test_latents_are_those_of_the_painted_scenes(tmp_path: Path) -> None:
    assert [step.step for step in encode(SPLIT, tmp_path)] == [1, 2, 3]
    _, pictures = paint_pictures(SPLIT, Blocks(), 0, 10)
    expected = torch.cat([*encode_pictures(build_autoencoder(VAE).eval(), pictures, CPU)])
    stored = load_latents(tmp_path, 10)
    assert stored.dtype == torch.float16
    assert torch.allclose(stored.float(), expected, atol=2e-3)


def test_a_stopped_encoding_goes_on_and_grows(tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    list(encode(replace(SPLIT, count=12), whole))
    assert len(list(islice(encode(SPLIT, stopped), 1))) == 1
    assert [step.step for step in encode(SPLIT, stopped)] == [2, 3]
    # The last chunk was a part of one; more scenes make it whole.
    assert load_latents(stopped, 10).shape[0] == 10
    assert [step.step for step in encode(replace(SPLIT, count=12), stopped)] == [3]
    assert torch.equal(load_latents(stopped, 12), load_latents(whole, 12))
    assert list(encode(replace(SPLIT, count=12), stopped)) == []


def test_scenes_that_are_not_encoded_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "latents"
    assert len(load_latents(folder, 0)) == 0
    list(islice(encode(SPLIT, folder), 1))
    with pytest.raises(ModelError, match="Not all of the 10 scenes") as caught:
        load_latents(folder, 10)
    assert caught.value.hint == "Run the stage latents first."
