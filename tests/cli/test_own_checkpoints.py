"""Models out of a folder of one's own: the README's commands, carried out on small files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from sheepgen.cli.app import app
from sheepgen.metadata.image_file import read_record
from sheepgen.models.fingerprint import file_sha256
from tests.cli.conftest import run
from tests.lora import save_lora
from tests.models.hub.conftest import use_hub
from tests.models.hub.fake_hub import running
from tests.original import (
    TEXT_WIDTH,
    original_vae,
    original_vae_tensors,
    save_original_model,
    save_single_file,
)
from tests.test_readme import README, commands, words_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

__all__ = ["run"]

CHECKPOINT = "checkpoints/dreamy.safetensors"
LORA = "loras/ink.safetensors"
HUB_LORA = "artist/ink-lora"


@pytest.fixture(scope="module")
def own_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that has all files that the README names."""
    folder = tmp_path_factory.mktemp("own")
    model = save_original_model(folder / "model")
    save_single_file(model, folder / CHECKPOINT, metadata={"modelspec.resolution": "16x16"})
    save_lora(model, folder / LORA)
    save_lora(model, folder / "served" / "ink.safetensors")
    save_lora(model, folder / "loras/detail/pytorch_lora_weights.safetensors", style="diffusers")
    other = original_vae_tensors(original_vae().state_dict())
    for path, tensors in (
        ("vae/clearer.safetensors", other),
        ("embeddings/badhands.safetensors", {"emb_params": torch.ones(2, TEXT_WIDTH)}),
    ):
        (folder / path).parent.mkdir()
        save_file(tensors, folder / path)
    return folder


def section() -> str:
    found = re.search(
        r"^### Checkpoints from a folder of your own\n(.*?)^##",
        README.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert found
    return found[1]


@pytest.mark.parametrize("command", list(commands(section())))
def test_the_readmes_commands_do_what_they_say(
    command: str, own_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("steps = 2\n")
    monkeypatch.setenv("SHEEPGEN_CONFIG", str(tmp_path / "config.toml"))
    for path in own_files.iterdir():
        (tmp_path / path.name).symlink_to(path)

    with running({HUB_LORA: own_files / "served"}) as server:
        use_hub(server, tmp_path / "hub", monkeypatch)
        result = CliRunner().invoke(app, words_of(command))

    assert result.exit_code == 0, result.output
    if words_of(command)[0] != "models":
        assert list(tmp_path.rglob("outputs/**/*.png"))


def test_an_image_knows_its_file_and_is_verified(own_files: Path, tmp_path: Path, run: Run) -> None:
    file = own_files / CHECKPOINT
    path = tmp_path / "a.png"

    made = run("a sheep", "--model", str(file), "--steps", "2", "-o", str(path), "--offline")
    assert made.exit_code == 0, made.output
    assert read_record(path).environment.model_sha256 == file_sha256(file)

    assert run("verify", str(path)).stdout == f"{path}: equal\n"


def test_another_file_under_its_name_is_not_used(own_files: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes((own_files / CHECKPOINT).read_bytes())
    path = tmp_path / "a.png"
    run("a sheep", "--model", str(file), "--steps", "1", "-o", str(path))
    save_single_file(save_original_model(tmp_path / "other", seed=1), file)

    result = run("verify", str(path))

    assert result.exit_code == 1
    assert "are not those the image was generated with" in result.stdout
