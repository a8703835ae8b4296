from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sheepgen.catalog import find_model
from sheepgen.errors import ModelError
from sheepgen.recorded_model import recorded_model
from tests.samples import sample_record
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.metadata import ImageRecord

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def record_of(model: str, *, sha256: str = "ab" * 32, revision: str | None = None) -> ImageRecord:
    record = sample_record(model=model)
    environment = replace(record.environment, model_sha256=sha256, model_revision=revision)
    return replace(record, environment=environment)


def test_the_embedded_model_has_its_name() -> None:
    assert recorded_model(record_of("sheepgen")) == "sheepgen"


@pytest.mark.parametrize("asked", ["org/name", "org/name@main", f"org/name@{COMMIT}"])
def test_a_model_of_the_hub_is_asked_for_by_its_commit(asked: str) -> None:
    assert recorded_model(record_of(asked, revision=COMMIT)) == f"org/name@{COMMIT}"


@pytest.mark.parametrize(
    ("model", "revision"),
    [
        ("/etc", COMMIT),
        ("../model", COMMIT),
        ("name", COMMIT),
        ("org/name", "../../x"),
        ("org/name", "a b"),
        ("org/name", ""),
    ],
)
def test_what_is_no_name_of_the_hub_is_not_followed(model: str, revision: str) -> None:
    with pytest.raises(ModelError, match="none of the hub's") as caught:
        recorded_model(record_of(model, revision=revision))
    assert "--model" in caught.value.hint


def test_a_folder_must_hold_the_recorded_weights(tiny_folder: Path, tmp_path: Path) -> None:
    model = str(tiny_folder)
    sha256 = find_model(model).sha256
    assert recorded_model(record_of(model, sha256=sha256)) == model
    with pytest.raises(ModelError, match="other weights") as caught:
        recorded_model(record_of(model))
    assert "--model" in caught.value.hint
    changed = save_tiny_model(tmp_path / "model", seed=1)
    with pytest.raises(ModelError, match="other weights"):
        recorded_model(record_of(str(changed), sha256=sha256))
    shutil.rmtree(changed / "unet")
    with pytest.raises(ModelError):
        recorded_model(record_of(str(changed), sha256=sha256))


@pytest.mark.parametrize(
    "model", ["org/name", "missing", "/missing", "//server/share", "\\\\server\\share", "/\\x\\y"]
)
def test_a_folder_that_is_not_here_is_not_looked_for_elsewhere(model: str) -> None:
    with pytest.raises(ModelError, match="a folder that is not here") as caught:
        recorded_model(record_of(model))
    assert "--model" in caught.value.hint
