"""A file arrives as it was announced, or not at all."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import HfApi, constants

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    cached_folder,
    download,
    fetch,
    plan_download,
    transfer,
)
from sheepgen.models.resolve import find_model
from tests.models.hub.conftest import INDEX, MODEL, REPO, UNET, refusal

if TYPE_CHECKING:
    from tests.models.hub.fake_hub import FakeHub


def test_more_than_was_announced_is_not_taken(hub: FakeHub, tmp_path: Path) -> None:
    hub.endless = UNET

    refusal("invalid answer about flock/tiny: more than the")

    assert list(tmp_path.rglob("*.incomplete")) == []


@pytest.mark.parametrize("file", [INDEX, "unet/config.json", UNET])
def test_other_bytes_than_were_announced_are_refused_and_removed(
    hub: FakeHub, model_copy: Path, tmp_path: Path, file: str
) -> None:
    right = (model_copy / file).read_bytes()
    hub.contents[file] = right[:-1] + bytes(1)

    error = refusal(
        f"sent a different {Path(file).name} of {REPO} than it announced: its sha256 is"
    )

    assert "was removed" in error.hint
    left = {path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert hub.contents[file] not in left
    del hub.contents[file]
    assert (find_model(REPO).folder / file).read_bytes() == right


@pytest.mark.parametrize("by_git", [True, False])
def test_a_small_file_may_be_named_by_its_sha1(
    hub: FakeHub, model_copy: Path, *, by_git: bool
) -> None:
    content = (model_copy / "vae" / "config.json").read_bytes()
    head = b"blob %d\0" % len(content) if by_git else b""
    name = hashlib.sha1(head + content).hexdigest()
    hub.headers["vae/config.json"] = {"ETag": f'"{name}"'}

    assert (find_model(REPO).folder / "vae" / "config.json").resolve().name == name


def test_a_small_file_of_another_name_is_refused(hub: FakeHub) -> None:
    hub.headers["vae/config.json"] = {"ETag": f'"{40 * "0"}"'}

    refusal(r"git would name it \w+, not 0000")


def test_the_listings_hash_is_held_to_as_well(hub: FakeHub) -> None:
    def listing(whole: dict[str, Any]) -> dict[str, Any]:
        lfs = {"lfs": {"sha256": "0" * 64, "size": 7, "pointerSize": 7}}
        siblings = [each | (lfs if each["rfilename"] == UNET else {}) for each in whole["siblings"]]
        return {**whole, "siblings": siblings}

    hub.listing = listing

    refusal("than it announced: its sha256 is .*, not 0000")


def test_a_transfer_that_hangs_leaves_nothing_when_it_is_dropped(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)
    monkeypatch.setattr(transfer, "GRACE_S", 0.0)
    hub.hang_after[UNET] = 4096
    plan = plan_download(MODEL)
    progress = download(plan)
    try:
        for step in progress:
            if step.file == UNET:
                break
        assert len(list(plan.folder.parents[1].rglob("*.incomplete"))) == 1
        progress.close()

        assert list(plan.folder.parents[1].rglob("*.incomplete")) == []
    finally:
        hub.go_on.set()
        for thread in threading.enumerate():
            if thread.name == "download":
                thread.join()
    assert cached_folder(MODEL) is None


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
