"""A VAE in place of the model's own: out of a folder, a file, or a whole model in one file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.pipeline.loading import load_model
from tests.original import original_vae_tensors, save_original_model, save_single_file
from tests.tiny import assert_same_weights, edit_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    return save_original_model(folder / "a"), save_original_model(folder / "b", seed=1)


def with_vae(model: Path, vae: Path) -> Any:
    adapters = Adapters(vae=str(vae))
    return load_model(str(model), device="cpu", dtype="fp32", adapters=adapters)


def vae_of(model: Path) -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(model / "vae")


def test_every_form_is_read(models: tuple[Path, Path], tmp_path: Path) -> None:
    model, other = models
    vae = vae_of(other)
    save_file(original_vae_tensors(vae.state_dict()), tmp_path / "original.safetensors")
    save_file(vae.state_dict(), tmp_path / "diffusers.safetensors")
    save_single_file(other, tmp_path / "whole.safetensors")
    shutil.copytree(other / "vae", tmp_path / "alone")

    for path in (
        tmp_path / "original.safetensors",
        tmp_path / "diffusers.safetensors",
        tmp_path / "whole.safetensors",
        tmp_path / "alone",
        other,
    ):
        found = with_vae(model, path)
        assert_same_weights(found.vae, vae)
        assert found.vae.config.scaling_factor == vae.config.scaling_factor


def test_the_first_names_of_diffusers_are_read(models: tuple[Path, Path], tmp_path: Path) -> None:
    model, other = models
    folder = shutil.copytree(other / "vae", tmp_path / "vae")
    weights = load_file(folder / "diffusion_pytorch_model.safetensors")
    for new, old in (
        ("to_q", "query"),
        ("to_k", "key"),
        ("to_v", "value"),
        ("to_out.0", "proj_attn"),
    ):
        weights = {
            name.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): each
            for name, each in weights.items()
        }
    save_file(weights, folder / "diffusion_pytorch_model.safetensors")

    assert_same_weights(with_vae(model, folder).vae, vae_of(other))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scaling_factor": 0.13025}, "scaled by another factor"),
        ({"latent_channels": 16}, "latents have 16 channels"),
        ({"_class_name": "AutoencoderKLWan"}, "is not a VAE, but AutoencoderKLWan"),
        ({"block_out_channels": [32, 64, 64]}, "latents have another size"),
        ({"block_out_channels": [32, 100_000]}, "impossible value"),
    ],
)
def test_one_for_other_latents_is_refused(
    changes: dict[str, object], message: str, models: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(models[1] / "vae", tmp_path / "vae")
    edit_json(folder / "config.json", **changes)

    with pytest.raises(ModelError, match=message):
        with_vae(models[0], folder)


def test_other_files_are_refused(models: tuple[Path, Path], tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    (tmp_path / "pickle.pt").write_bytes(b"PK\x03\x04" + b"\xff" * 99)

    with pytest.raises(ModelError, match="is not a VAE"):
        with_vae(models[0], tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="is a pickle"):
        with_vae(models[0], tmp_path / "pickle.pt")
    with pytest.raises(ModelError, match="none does not exist"):
        with_vae(models[0], tmp_path / "none")
    with pytest.raises(ModelError, match="cannot be read"):
        with_vae(models[0], tmp_path)
