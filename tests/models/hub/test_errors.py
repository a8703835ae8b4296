from __future__ import annotations

import pytest
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from sheepgen.errors import ModelError
from sheepgen.models.hub.errors import hub_errors


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
