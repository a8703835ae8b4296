"""Of several sets of weights only the wanted one is downloaded, and found in the cache again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.hub import cached_folder, plan_download
from sheepgen.models.resolve import find_model
from tests.models.hub.conftest import MODEL, PLANNED, REPO, UNET
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.models.hub.fake_hub import FakeHub

FP16 = {name.replace(".safetensors", ".fp16.safetensors") for name in PLANNED}


@pytest.fixture
def half(hub: FakeHub, model_copy: Path, tmp_path: Path) -> FakeHub:
    """Serve the model with the weights of another as its variant."""
    other = save_tiny_model(tmp_path / "other", seed=1)
    for weights in other.rglob("*.safetensors"):
        name = weights.relative_to(other).with_suffix(".fp16.safetensors")
        shutil.copy(weights, model_copy / name)
    return hub


def fetched(hub: FakeHub) -> set[str]:
    """Return the weights that were asked for."""
    names = (each.partition("/resolve/")[2].partition("/")[2] for each in hub.requests)
    return {each for each in names if each.endswith(".safetensors")}


def test_only_the_wanted_weights_are_downloaded(half: FakeHub) -> None:
    assert {file.name for file in plan_download(MODEL, "fp16").files} == FP16

    spec = find_model(REPO, variant="fp16")

    assert fetched(half) == {name for name in FP16 if name.endswith(".safetensors")}
    assert {name.partition(".")[2] for name in spec.checkpoint.weights} == {"fp16.safetensors"}
    assert cached_folder(MODEL, "fp16") == spec.folder


def test_each_set_is_found_again_offline(half: FakeHub) -> None:
    usual = find_model(REPO)
    with pytest.raises(ModelError, match="in the cache, has no complete fp16 weights") as error:
        find_model(REPO, variant="fp16", offline=True)
    assert "Run once without --offline" in error.value.hint
    assert plan_download(MODEL, "fp16").total_bytes > 0

    wanted = find_model(REPO, variant="fp16")

    asked = len(half.requests)
    assert wanted.folder == usual.folder
    assert wanted.sha256 != usual.sha256
    assert find_model(REPO, offline=True) == usual
    assert find_model(REPO, variant="fp16", offline=True) == wanted
    assert len(half.requests) == asked


@pytest.mark.usefixtures("half")
def test_a_download_that_broke_off_does_not_mix_weights() -> None:
    find_model(REPO)
    wanted = find_model(REPO, variant="fp16")
    (wanted.folder / UNET.replace(".safetensors", ".fp16.safetensors")).unlink()

    assert cached_folder(MODEL, "fp16") is None


def test_a_variant_that_the_hub_lacks_is_said_before_weights_are_asked_for(half: FakeHub) -> None:
    with pytest.raises(ModelError, match=f"{REPO} has no complete bf16 weights of its") as error:
        find_model(REPO, variant="bf16")

    assert error.value.hint == "Choose one that it has with --variant: fp16."
    assert fetched(half) == set()
