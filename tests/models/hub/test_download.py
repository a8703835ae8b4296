from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import HfApi, constants

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    DownloadPlan,
    DownloadProgress,
    cached_folder,
    cached_models,
    download,
    fetch,
    plan_download,
)
from sheepgen.models.resolve import find_model, resolve_model
from tests.models.hub.conftest import MODEL, NEEDED, REPO
from tests.models.hub.fake_hub import COMMIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.models.hub.fake_hub import FakeHub


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


def test_a_model_once_fetched_needs_the_hub_no_more(hub: FakeHub, tiny_folder: Path) -> None:
    first = find_model(REPO)
    asked = len(hub.requests)

    second = find_model(REPO)
    by_commit = find_model(f"{REPO}@{COMMIT}", offline=True)

    assert len(hub.requests) == asked
    assert first == second
    assert first.revision == COMMIT
    assert by_commit.folder == first.folder
    assert first.sha256 == find_model(str(tiny_folder)).sha256


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
    assert {file.name for file in plan.files} == NEEDED - {"model_index.json"}

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


def test_large_files_may_be_elsewhere(hub: FakeHub, tiny_folder: Path) -> None:
    unet = "unet/diffusion_pytorch_model.safetensors"
    hub.elsewhere.add(unet)

    assert find_model(REPO).sha256 == find_model(str(tiny_folder)).sha256
    assert f"GET /cdn/{REPO}/{unet}" in hub.requests


@pytest.mark.usefixtures("hub")
def test_pieces_may_be_more_than_their_file_on_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_download(MODEL)
    really = HfApi.hf_hub_download

    def in_pieces(api: HfApi, *args: Any, tqdm_class: type[Any], **settings: Any) -> Any:
        tqdm_class(name="huggingface_hub.xet_get.transfer").update(10**9)
        return really(api, *args, tqdm_class=tqdm_class, **settings)

    monkeypatch.setattr(HfApi, "hf_hub_download", in_pieces)

    assert list(download(plan))[-1].done_bytes == plan.total_bytes
    assert cached_folder(MODEL) == plan.folder


@pytest.mark.usefixtures("hub")
def test_a_disk_that_fills_up_on_the_way_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_download(MODEL)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HfApi, "hf_hub_download", full)

    with pytest.raises(ModelError, match="No space left on device"):
        fetch(plan)


def test_a_model_that_becomes_gated_on_the_way(hub: FakeHub) -> None:
    plan = plan_download(MODEL)
    hub.gated.add(REPO)

    with pytest.raises(ModelError, match="accept its terms"):
        fetch(plan)


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
    assert "network must not be used" in offline
    assert light == "light"
    assert hub.requests == []
    assert run() == [folder, "light"]
    asked = len(hub.requests)
    assert run() == run("--offline") == [folder, "light"]
    assert len(hub.requests) == asked
