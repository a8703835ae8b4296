"""What is in the Hub's cache is used without the Hub, if it is complete and undamaged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    HubModel,
    parse_hub_model,
)
from sheepgen.models.resolve import find_model
from tests.models.hub.conftest import REPO, UNET, refusal
from tests.models.hub.fake_hub import COMMIT
from tests.tiny import edit_json

if TYPE_CHECKING:
    from io import BufferedReader
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


@pytest.mark.parametrize(
    "change",
    [
        {"_class_name": "StableCascadePipeline"},
        {"text_encoder": ["transformers", "T5EncoderModel"]},
    ],
)
def test_a_cached_model_that_does_not_run_here_is_no_reason_to_go_online(
    hub: FakeHub, change: dict[str, object]
) -> None:
    edit_json(find_model(REPO).folder / "model_index.json", **change)
    asked = len(hub.requests)

    with pytest.raises(ModelError, match=r"unsupported family|Unsupported text_encoder"):
        find_model(REPO)

    assert len(hub.requests) == asked


@pytest.mark.parametrize("is_offline", [True, False])
def test_a_cache_without_the_weights_that_are_read_says_what_it_has(
    hub: FakeHub, *, is_offline: bool
) -> None:
    folder = find_model(REPO).folder
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    hub.shutdown()
    hub.server_close()

    with pytest.raises(ModelError, match=f"{REPO}, as it is in the cache, has .*bin") as error:
        find_model(REPO, offline=is_offline)

    said = error.value.message + error.value.hint
    assert "without --offline" in said if is_offline else "cannot be reached" in said
    assert "In the cache:" not in said
    with pytest.raises(ModelError) as error:
        find_model("flock/other", offline=True)
    assert error.value.hint.endswith("The cache is empty.")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("content", ['{"_class_name": "StableCascadePipeline"}', "{", "[]"])
def test_a_cached_model_that_does_not_run_is_not_offered(content: str) -> None:
    (find_model(REPO).folder / "model_index.json").write_text(content)

    with pytest.raises(ModelError, match="not in the cache") as error:
        find_model("flock/other", offline=True)

    assert error.value.hint.endswith("The cache is empty.")


def test_offline_with_nothing_cached(hub: FakeHub) -> None:
    with pytest.raises(ModelError, match="using the network is not allowed") as error:
        find_model(REPO, offline=True)

    assert error.value.hint.endswith("The cache is empty.")
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
def test_the_libraries_may_be_offline_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(ModelError, match="using the network is not allowed"):
        find_model(REPO)


@pytest.mark.usefixtures("hub")
def test_weights_that_rot_in_the_cache_are_noticed() -> None:
    weights = find_model(REPO).folder / UNET
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.resolve().write_bytes(damaged)

    error = refusal(f"{UNET} of {REPO} is damaged in the Hub's cache")

    assert str(weights.resolve()) in error.hint
    weights.resolve().unlink()
    assert find_model(REPO).folder / UNET == weights


@pytest.mark.usefixtures("hub")
def test_weights_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    find_model(REPO)

    def hashing(*_: object) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "file_digest", hashing)

    assert find_model(REPO).revision is not None


@pytest.mark.usefixtures("hub")
def test_weights_that_are_to_be_hashed_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = find_model(REPO).folder / UNET
    weights.resolve().touch()  # what was hashed on arrival does not count any more
    reads, digest = [], hashlib.file_digest

    def hashing(file: BufferedReader, name: str) -> object:
        reads.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", hashing)

    find_model(REPO, rehash=True)

    assert len(reads) == 1


@pytest.mark.usefixtures("hub")
def test_what_cannot_be_remembered_is_not_hashed_on_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_model(REPO)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    def hashing(*_: object) -> None:
        raise AssertionError("hashed without use")

    monkeypatch.setattr(hashlib, "file_digest", hashing)

    assert find_model(REPO).revision is not None
