from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.models.spec import ModelSpec
from sheepgen.verify.recorded_model import recorded_model
from tests.samples import sample_record
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def record_of(model: str, *, sha256: str = "ab" * 32, revision: str | None = None) -> ImageRecord:
    record = sample_record(model=model)
    environment = replace(record.environment, model_sha256=sha256, model_revision=revision)
    return replace(record, environment=environment)


def test_the_embedded_model_has_its_name() -> None:
    assert recorded_model(record_of("sheepgen")) == find_model("sheepgen")


@pytest.mark.parametrize("asked", ["org/name", "org/name@main", f"org/name@{COMMIT}"])
def test_a_model_of_the_hub_is_only_fetched_if_the_user_says_so(asked: str) -> None:
    record = record_of(asked, revision=COMMIT)
    with pytest.raises(
        ModelError, match=f"org/name at commit {COMMIT}.*not in the cache"
    ) as caught:
        recorded_model(record)
    assert "--fetch" in caught.value.hint
    assert "--model" in caught.value.hint
    assert recorded_model(record, fetch=True) == f"org/name@{COMMIT}"


@pytest.mark.parametrize(
    "revision",
    [
        "main",
        "../../x",
        "a b",
        "",
        COMMIT[:10],
        COMMIT.upper().replace("0", "A"),
        "refs/pr/1",
        f"{COMMIT}0",
    ],
)
def test_only_a_full_commit_hash_is_a_revision(
    revision: str, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever lies beside the user under such a name.
    monkeypatch.chdir(tmp_path)
    planted = tmp_path / f"org/name@{revision}"
    planted.parent.mkdir(parents=True, exist_ok=True)
    if not planted.exists():
        planted.symlink_to(tiny_folder)
    for fetch in (False, True):
        with pytest.raises(ModelError, match="not a full commit hash") as caught:
            recorded_model(record_of("org/name", revision=revision), fetch=fetch)
        assert "--model org/name" in caught.value.hint


def test_a_folder_named_like_a_model_of_the_hub_does_not_stand_in_for_it(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    planted = tmp_path / f"org/name@{COMMIT}"
    planted.parent.mkdir()
    planted.symlink_to(tiny_folder)
    record = record_of("org/name", revision=COMMIT)
    with pytest.raises(ModelError, match="not in the cache"):
        recorded_model(record)
    name = recorded_model(record, fetch=True)
    assert isinstance(name, str)
    with pytest.raises(ModelError, match="not in the cache"):
        find_model(name, offline=True)
    assert find_model(f"./{name}").folder == Path(f"./{name}")


@pytest.mark.parametrize(
    ("model", "revision"),
    [
        ("/etc", COMMIT),
        ("../model", COMMIT),
        ("name", COMMIT),
    ],
)
def test_what_is_no_name_of_the_hub_is_not_followed(model: str, revision: str) -> None:
    with pytest.raises(ModelError, match="not a valid Hub id") as caught:
        recorded_model(record_of(model, revision=revision))
    assert "--model" in caught.value.hint


def test_the_only_weights_of_then_are_found_beside_the_usual_ones(
    model_copy: Path, tmp_path: Path
) -> None:
    for weights in model_copy.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".fp16.safetensors"))
    sha256 = find_model(str(model_copy)).sha256
    usual = save_tiny_model(tmp_path / "usual", seed=1)
    shutil.copytree(usual, model_copy, dirs_exist_ok=True)
    assert find_model(str(model_copy)).sha256 != sha256

    found = recorded_model(record_of(str(model_copy), sha256=sha256))

    assert isinstance(found, ModelSpec)
    assert found.sha256 == sha256


def test_a_folder_must_hold_the_recorded_weights(tiny_folder: Path, tmp_path: Path) -> None:
    model = str(tiny_folder)
    sha256 = find_model(model).sha256
    assert recorded_model(record_of(model, sha256=sha256)) == find_model(model)
    with pytest.raises(ModelError, match="not those the image was generated with") as caught:
        recorded_model(record_of(model))
    assert "--model" in caught.value.hint
    changed = save_tiny_model(tmp_path / "model", seed=1)
    with pytest.raises(ModelError, match="not those the image was generated with"):
        recorded_model(record_of(str(changed), sha256=sha256))
    shutil.rmtree(changed / "unet")
    with pytest.raises(ModelError):
        recorded_model(record_of(str(changed), sha256=sha256))


@pytest.mark.parametrize(
    "model", ["org/name", "missing", "/missing", "//server/share", "\\\\server\\share", "/\\x\\y"]
)
def test_a_folder_that_is_not_here_is_not_looked_for_elsewhere(model: str) -> None:
    with pytest.raises(ModelError, match="a model that is not here") as caught:
        recorded_model(record_of(model))
    assert "--model" in caught.value.hint
