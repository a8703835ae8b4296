"""Each refusal of a Hub is said in its own sentence, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from sheepgen.errors import ModelError
from sheepgen.models.hub import (
    HubModel,
    plan_download,
)
from sheepgen.models.hub.errors import hub_errors
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


class Answer:
    """As much of an HTTP response as the hub's errors carry."""

    request = None

    def __init__(self, status: int) -> None:
        self.headers: dict[str, str] = {}
        self.status_code = status


def answered(status: int) -> HfHubHTTPError:
    return HfHubHTTPError("refused", response=Answer(status))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (answered(401), "needs a login"),
        (answered(403), "accept its terms"),
        (answered(404), "does not exist on the Hub"),
        (answered(429), "status 429"),
        (ConnectionResetError("reset"), "cannot be reached"),
        (LocalEntryNotFoundError("no network"), "cannot be reached"),
        (HFValidationError("bad name"), "does not exist on the Hub"),
        (PermissionError(13, "Permission denied"), "could not be saved: Permission denied"),
        (OSError("Consistency check failed"), "could not be saved: it arrived damaged"),
    ],
)
def test_each_cause_has_its_own_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as raised, hub_errors("flock/tiny"):
        raise error

    assert "flock/tiny" in raised.value.message
    assert raised.value.hint


def test_an_answer_behind_a_cache_miss_is_found() -> None:
    with pytest.raises(ModelError, match="status 503"), hub_errors("flock/tiny"):
        raise LocalEntryNotFoundError("not here") from answered(503)
