from __future__ import annotations

import shutil
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    HubModel,
    parse_hub_model,
    plan_download,
)
from sheepgen.models.resolve import find_model
from tests.models.hub.conftest import MODEL, NEEDED, REPO
from tests.models.hub.fake_hub import COMMIT
from tests.tiny import edit_json

if TYPE_CHECKING:
    from pathlib import Path

    from tests.models.hub.fake_hub import FakeHub


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("org/name", HubModel(repo="org/name")),
        ("o.r-g/na_me-1.5", HubModel(repo="o.r-g/na_me-1.5")),
        ("org/name@v1.0", HubModel(repo="org/name", revision="v1.0")),
        ("org/name@refs/pr/4", HubModel(repo="org/name", revision="refs/pr/4")),
        ("name", None),
        ("a/b/c", None),
        ("../name", None),
        ("org/..", None),
        ("org/name@../../etc", None),
        ("org/name@", None),
        ("org/na--me", None),
        ("org/name\n", None),
        ("org/näme", None),
    ],
)
def test_hub_names_are_told_from_everything_else(name: str, model: HubModel | None) -> None:
    assert parse_hub_model(name) == model


def test_a_plan_lists_what_is_needed_and_nothing_more(hub: FakeHub, model_copy: Path) -> None:
    plan = plan_download(MODEL)

    assert {file.name for file in plan.files} == NEEDED - {"model_index.json"}
    assert plan.total_bytes == sum((model_copy / file.name).stat().st_size for file in plan.files)
    assert (plan.repo, plan.commit, plan.licence) == (REPO, COMMIT, "openrail")
    assert plan.free_bytes > plan.total_bytes
    assert not any("safetensors" in request for request in hub.requests)


def test_another_family_is_refused_before_its_weights_are_asked_for(
    hub: FakeHub, model_copy: Path
) -> None:
    edit_json(model_copy / "model_index.json", _class_name="StableDiffusionXLPipeline")

    with pytest.raises(ModelError, match="Stable Diffusion XL"):
        plan_download(MODEL)

    assert not any("safetensors" in request for request in hub.requests)


@pytest.mark.parametrize(
    "change",
    [{"_class_name": "FluxPipeline"}, {"text_encoder": ["transformers", "T5EncoderModel"]}],
)
def test_a_cached_model_that_does_not_run_here_is_no_reason_to_go_online(
    hub: FakeHub, change: dict[str, object]
) -> None:
    edit_json(find_model(REPO).folder / "model_index.json", **change)
    asked = len(hub.requests)

    with pytest.raises(ModelError, match=r"unsupported family|Unsupported text_encoder"):
        find_model(REPO)

    assert len(hub.requests) == asked


@pytest.mark.usefixtures("hub")
def test_a_repository_of_pickles_is_refused(model_copy: Path) -> None:
    for weights in (model_copy / "unet").glob("*.safetensors"):
        weights.unlink()

    with pytest.raises(
        ModelError, match=r"pickled weights.*: unet/diffusion_pytorch_model\.bin"
    ) as error:
        plan_download(MODEL)

    assert "safe_serialization=True" in error.value.hint


def test_a_full_disk_is_found_out_before_the_download(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5000, 5000))

    with pytest.raises(ModelError, match=r"kB more disk space, but only 5\.0 kB are free") as error:
        plan_download(MODEL)

    assert "HF_HOME" in error.value.hint
    assert not any("safetensors" in request for request in hub.requests)
