"""A hub on this machine with one model, and an empty cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from sheepgen.errors import ModelError
from sheepgen.models.hub import HubModel
from sheepgen.models.resolve import find_model
from tests.models.hub.fake_hub import FakeHub, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPO = "flock/tiny"

MODEL = HubModel(repo=REPO)

INDEX = "model_index.json"

UNET = "unet/diffusion_pytorch_model.safetensors"

NEEDED = {
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
}
"""The files of it that are fetched."""

PLANNED = {
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
}
"""Those that are not fetched before there is a plan."""


def refusal(match: str) -> ModelError:
    """Return the error that asking for the model ends in."""
    with pytest.raises(ModelError, match=match) as error:
        find_model(REPO)
    return error.value


def use_hub(server: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a hub on this machine, and a cache, in the place of the real ones."""
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        server.url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))


@pytest.fixture
def hub(model_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Serve a copy of the tiny model, with what repositories have besides, as ``flock/tiny``."""
    for clutter in (
        "README.md",
        "tiny.ckpt",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "safety_checker/model.safetensors",
    ):
        path = model_copy / clutter
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"never fetched")
    with running({REPO: model_copy}) as server:
        use_hub(server, tmp_path / "cache" / "hub", monkeypatch)
        yield server
