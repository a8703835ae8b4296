"""A download is planned before any weights are asked for, and carried out step by step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    DownloadPlan,
    DownloadProgress,
    cached_folder,
    cached_models,
    download,
    fetch,
    go_offline,
    plan_download,
)
from sheepgen.models.resolve import find_model, resolve_model
from tests.embedded.tiny_model import write_tiny_model
from tests.models.hub.conftest import INDEX, MODEL, NEEDED, PLANNED, REPO, refusal
from tests.models.hub.fake_hub import COMMIT
from tests.tiny import edit_json
from tests.tiny_unconditional import flatten, save_tiny_ddpm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.models.hub.fake_hub import FakeHub


def test_a_plan_lists_what_is_needed_and_nothing_more(hub: FakeHub, model_copy: Path) -> None:
    plan = plan_download(MODEL)

    assert {file.name for file in plan.files} == PLANNED
    assert plan.total_bytes == sum((model_copy / file.name).stat().st_size for file in plan.files)
    assert (plan.repo, plan.commit, plan.licence) == (REPO, COMMIT, "openrail")
    assert plan.free_bytes > plan.total_bytes
    assert not any("safetensors" in request for request in hub.requests)


@pytest.mark.usefixtures("hub")
def test_a_repository_without_an_index_is_refused(model_copy: Path) -> None:
    (model_copy / INDEX).unlink()

    refusal(f"{REPO} is not a diffusers model: it has no {INDEX}")


def test_an_optional_component_is_downloaded_if_the_repository_has_it(
    hub: FakeHub, model_copy: Path
) -> None:
    shutil.rmtree(model_copy)
    write_tiny_model(model_copy)

    folder = find_model(REPO).folder

    assert (folder / "preview_decoder" / "diffusion_pytorch_model.safetensors").is_file()
    assert any("preview_decoder" in request for request in hub.requests)


def test_a_network_beside_the_index_is_downloaded_as_such(hub: FakeHub, model_copy: Path) -> None:
    shutil.rmtree(model_copy)
    flatten(save_tiny_ddpm(model_copy))

    folder = find_model(REPO).folder

    assert (folder / "diffusion_pytorch_model.safetensors").is_file()
    assert find_model(REPO, offline=True).family.name == "DDPM"
    assert any("diffusion_pytorch_model" in request for request in hub.requests)


def test_another_family_is_refused_before_its_weights_are_asked_for(
    hub: FakeHub, model_copy: Path
) -> None:
    edit_json(model_copy / "model_index.json", _class_name="GlmImagePipeline")

    with pytest.raises(ModelError, match="GLM-Image"):
        plan_download(MODEL)

    assert not any("safetensors" in request for request in hub.requests)


@pytest.mark.parametrize(
    ("config", "changes", "match"),
    [
        ("unet/config.json", {"class_embed_type": "timestep"}, "class labels in the U-Net"),
        ("unet/config.json", {"in_channels": 8}, "has 8 input and 4 output channels"),
        ("text_encoder/config.json", {"hidden_size": 10**6}, "impossible value"),
        ("scheduler/scheduler_config.json", {"use_flow_sigmas": True}, "flow matching"),
    ],
)
def test_an_unsupported_part_is_refused_before_weights_are_asked_for(
    hub: FakeHub, model_copy: Path, config: str, changes: dict[str, object], match: str
) -> None:
    edit_json(model_copy / config, **changes)

    with pytest.raises(ModelError, match=match) as error:
        plan_download(MODEL)

    assert REPO in error.value.message
    assert not any("safetensors" in request for request in hub.requests)


@pytest.mark.usefixtures("hub")
def test_a_repository_of_pickles_is_refused(model_copy: Path) -> None:
    for weights in (model_copy / "unet").glob("*.safetensors"):
        weights.unlink()

    with pytest.raises(
        ModelError, match=r"pickled weights.*: unet/diffusion_pytorch_model\.bin"
    ) as error:
        plan_download(MODEL)

    assert "safe_serialization=True" in error.value.hint


def test_files_of_another_commit_than_the_listing_are_refused(hub: FakeHub) -> None:
    hub.headers[INDEX] = {"X-Repo-Commit": "f" * 40}

    refusal("different commits")


def test_a_full_disk_is_found_out_before_the_download(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5000, 5000))

    with pytest.raises(ModelError, match=r"kB more disk space, but only 5\.0 kB are free") as error:
        plan_download(MODEL)

    assert "HF_HOME" in error.value.hint
    assert not any("safetensors" in request for request in hub.requests)


def test_a_download_tells_its_progress_and_fills_the_cache(hub: FakeHub, model_copy: Path) -> None:
    plan = plan_download(MODEL)
    assert cached_folder(MODEL) is None

    progress = list(download(plan))

    done = [step.done_bytes for step in progress]
    assert done == sorted(done)
    assert progress[-1] == DownloadProgress(
        done_bytes=plan.total_bytes,
        total_bytes=plan.total_bytes,
        file="unet/diffusion_pytorch_model.safetensors",
    )
    assert {step.file for step in progress} == {file.name for file in plan.files}
    assert cached_folder(MODEL) == plan.folder
    assert cached_models() == (REPO,)
    for name in NEEDED:
        assert (plan.folder / name).read_bytes() == (model_copy / name).read_bytes()
    assert not any("fp16" in request or ".bin" in request for request in hub.requests)


@pytest.mark.usefixtures("hub")
def test_a_broken_off_download_goes_on_where_it_was() -> None:
    folder = find_model(REPO).folder
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()

    assert cached_folder(MODEL) is None
    assert [file.name for file in plan_download(MODEL).files] == [
        "unet/diffusion_pytorch_model.safetensors"
    ]
    assert find_model(REPO).folder == folder


@pytest.mark.usefixtures("hub")
def test_the_caller_may_carry_out_the_plan() -> None:
    plan = resolve_model(REPO)
    assert isinstance(plan, DownloadPlan)
    assert {file.name for file in plan.files} == PLANNED

    fetch(plan)

    assert resolve_model(REPO) == find_model(REPO)


@pytest.mark.usefixtures("hub")
def test_a_dropped_download_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)
    plan = plan_download(MODEL)
    progress = download(plan)

    for step in progress:
        if step.file.endswith(".safetensors"):
            break
    progress.close()

    assert cached_folder(MODEL) is None
    assert list(plan.folder.parents[1].rglob("*.incomplete")) == []


def test_going_offline_is_said_to_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")

    go_offline()

    assert os.environ["HF_HUB_OFFLINE"] == "1"


SCRIPT = """
import sys
from sheepgen.models.resolve import find_model
from sheepgen.errors import ModelError
from sheepgen.models.hub import go_offline
if "--offline" in sys.argv:
    go_offline()
try:
    print(find_model("flock/tiny").folder)
except ModelError as error:
    print(error.message)
print({"torch", "diffusers", "transformers", "numpy", "safetensors"} & set(sys.modules) or "light")
"""


def test_the_environment_says_where_the_hub_and_the_cache_are(hub: FakeHub, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}

    def run(*arguments: str) -> list[str]:
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()

    folder = f"{tmp_path}/home/hub/models--flock--tiny/snapshots/{COMMIT}"
    offline, light = run("--offline")
    assert "using the network is not allowed" in offline
    assert light == "light"
    assert hub.requests == []
    assert run() == [folder, "light"]
    asked = len(hub.requests)
    assert run() == run("--offline") == [folder, "light"]
    assert len(hub.requests) == asked
