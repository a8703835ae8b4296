from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    HubModel,
    go_offline,
    plan_download,
)
from sheepgen.models.resolve import find_model
from tests.models.hub.conftest import MODEL, REPO
from tests.models.hub.fake_hub import COMMIT

if TYPE_CHECKING:
    from tests.models.hub.fake_hub import FakeHub


def test_a_model_that_needs_a_login(hub: FakeHub) -> None:
    hub.private.add(REPO)

    with pytest.raises(ModelError, match="private and needs a login") as error:
        plan_download(MODEL)

    assert "hf auth login" in error.value.hint


@pytest.mark.usefixtures("hub")
def test_a_wrong_token_is_said_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")

    with pytest.raises(ModelError, match="rejected your access token") as error:
        plan_download(MODEL)

    assert "hf auth login" in error.value.hint
    assert "hf_wrong" not in error.value.message + error.value.hint


def test_a_good_token_opens_a_private_model(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.private.add(REPO)
    monkeypatch.setenv("HF_TOKEN", hub.token)

    assert plan_download(MODEL).commit == COMMIT


def test_a_gated_model(hub: FakeHub) -> None:
    hub.gated.add(REPO)

    with pytest.raises(ModelError, match="gated model") as error:
        plan_download(MODEL)

    assert error.value.message.endswith(f"accept its terms at https://huggingface.co/{REPO}.")
    assert "hf auth login" in error.value.hint


@pytest.mark.usefixtures("hub")
def test_no_such_model() -> None:
    with pytest.raises(ModelError, match="flock/none does not exist") as error:
        plan_download(HubModel(repo="flock/none"))

    assert "spelling" in error.value.hint


@pytest.mark.usefixtures("hub")
def test_no_such_revision() -> None:
    with pytest.raises(ModelError, match="no such revision"):
        plan_download(HubModel(repo=REPO, revision="v9"))


def test_a_hub_that_is_down(hub: FakeHub) -> None:
    hub.down = True

    with pytest.raises(ModelError, match="status 500"):
        plan_download(MODEL)


def test_no_network_names_what_is_cached(hub: FakeHub) -> None:
    find_model(REPO)
    hub.shutdown()
    hub.server_close()

    with pytest.raises(ModelError, match="cannot be reached") as error:
        find_model("flock/other")

    assert error.value.hint.endswith(f"In the cache: {REPO}.")


@pytest.mark.parametrize("suffix", [".bin", ".fp16.safetensors"])
@pytest.mark.parametrize("is_offline", [True, False])
def test_a_cache_without_the_weights_that_are_read_says_what_it_has(
    hub: FakeHub, suffix: str, *, is_offline: bool
) -> None:
    folder = find_model(REPO).folder
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(suffix))
    hub.shutdown()
    hub.server_close()

    with pytest.raises(ModelError, match=f"{REPO}, as it is in the cache, has .*{suffix}") as error:
        find_model(REPO, offline=is_offline)

    said = error.value.message + error.value.hint
    assert "without --offline" in said if is_offline else "cannot be reached" in said
    assert "In the cache:" not in said
    with pytest.raises(ModelError) as error:
        find_model("flock/other", offline=True)
    assert error.value.hint.endswith("The cache is empty.")


def test_offline_with_nothing_cached(hub: FakeHub) -> None:
    with pytest.raises(ModelError, match="network must not be used") as error:
        find_model(REPO, offline=True)

    assert error.value.hint.endswith("The cache is empty.")
    assert hub.requests == []


def test_going_offline_is_said_to_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")

    go_offline()

    assert os.environ["HF_HUB_OFFLINE"] == "1"


@pytest.mark.usefixtures("hub")
def test_the_libraries_may_be_offline_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(ModelError, match="network must not be used"):
        find_model(REPO)
