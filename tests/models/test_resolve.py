from __future__ import annotations

import os
import shutil
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import ModelError, UsageError
from sheepgen.models.hub import parse_hub_model
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL
from tests.tiny import MAX_TOKENS, edit_json

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_becomes_a_spec(tiny_folder: Path) -> None:
    spec = find_model(str(tiny_folder))

    assert spec.name == str(tiny_folder)
    assert spec.folder == tiny_folder
    assert spec.revision is None
    assert spec.size_multiple == 2
    assert spec.max_tokens == MAX_TOKENS
    assert len(spec.sha256) == 64
    assert spec.defaults.scheduler == "ddim"
    assert (spec.defaults.width, spec.defaults.height) == (32, 32)
    assert (spec.defaults.num_inference_steps, spec.defaults.guidance_scale) == (50, 7.5)


def test_a_folder_may_be_named_from_here_and_from_home(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_folder.parent)
    monkeypatch.setenv("HOME", str(tiny_folder.parent))

    spec = find_model(str(tiny_folder))
    for name in ("tiny", "./tiny", "~/tiny"):
        assert find_model(name).sha256 == spec.sha256


def test_a_folder_wins_over_the_hub(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "org" / "name")
    monkeypatch.chdir(tmp_path)

    assert find_model("org/name").revision is None


def test_the_embedded_model_wins_over_a_folder_of_its_name(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "package" / "assets" / EMBEDDED_MODEL)
    (tmp_path / EMBEDDED_MODEL).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resources, "files", lambda _: tmp_path / "package")

    spec = find_model(EMBEDDED_MODEL)

    assert spec.folder == tmp_path / "package" / "assets" / EMBEDDED_MODEL
    known = KNOWN_MODELS[EMBEDDED_MODEL]
    assert spec.defaults.num_inference_steps == known.num_inference_steps
    assert spec.defaults.guidance_scale == known.guidance_scale


def test_a_missing_embedded_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)

    with pytest.raises(ModelError, match="not installed"):
        find_model(EMBEDDED_MODEL)


@pytest.mark.parametrize("name", ["./none", "../none", "~/none", f"{os.sep}none{os.sep}at-all"])
def test_a_path_to_nothing_is_no_hub_id(name: str) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        find_model(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("shepgen", "Did you mean sheepgen?"),
        ("stable-diffusion-v1-5", "Did you mean stable-diffusion-v1-5/stable-diffusion-v1-5"),
        ("sdxll", "Did you mean sdxl"),
        ("sdxl-turbo-fast", "Did you mean sdxl-turbo or "),
        ("sd1", "Did you mean sd21 or sd15?"),
        ("?", "A model is sheepgen"),
        ("a" * 5000, "A model is sheepgen"),
        ("nul\0", "A model is sheepgen"),
        ("org/../../etc/passwd-", "A model is sheepgen"),
        ("\x1b[31m", "A model is sheepgen"),
    ],
)
def test_any_other_name_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match="Unknown model") as error:
        find_model(name)
    assert hint in error.value.hint
    assert "\x1b" not in error.value.message


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("kandinsky-5", "Kandinsky 5"),
        ("flux.3", "FLUX.3"),
        ("glm-image", "GLM-Image"),
        ("black-forest-labs/FLUX.1-Kontext-dev", "FLUX.1 for pictures"),
        ("qwen/qwen-image-edit@main", "Qwen-Image for editing"),
        (f"zai-org/GLM-Image@{'0' * 40}", "GLM-Image"),
    ],
)
def test_a_family_that_does_not_run_is_said_before_anything_is_looked_for(
    name: str, family: str
) -> None:
    with pytest.raises(UsageError, match=f"unsupported family: {family}") as error:
        find_model(name, offline=True)

    assert "Stable Diffusion 1.x and 2.x" in error.value.hint


def test_a_folder_may_be_called_like_another_family(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "flux")
    monkeypatch.chdir(tmp_path)

    assert find_model("flux").name == "flux"


@pytest.mark.parametrize(
    ("limit", "max_tokens"),
    [
        (8, 8),
        (MAX_TOKENS, MAX_TOKENS),
        (10**30, MAX_TOKENS),
        (1e30, MAX_TOKENS),
        (None, MAX_TOKENS),
    ],
)
def test_a_prompt_is_no_longer_than_the_text_encoder_takes(
    model_copy: Path, limit: float | None, max_tokens: int
) -> None:
    edit_json(model_copy / "tokenizer" / "tokenizer_config.json", model_max_length=limit)

    spec = find_model(str(model_copy))
    assert spec.max_tokens == max_tokens


@pytest.mark.parametrize(
    ("sample_size", "version", "height", "width"),
    [
        (16, "0.42.1", 32, 32),
        ([8, 24], "0.42.1", 16, 48),
        (16, "0.8.1", 128, 128),
        (96, "0.8.1", 192, 192),
        (16, None, 32, 32),
    ],
)
def test_the_size_is_the_one_that_the_model_was_trained_on(
    model_copy: Path, sample_size: object, version: str | None, height: int, width: int
) -> None:
    edit_json(
        model_copy / "unet" / "config.json", sample_size=sample_size, _diffusers_version=version
    )

    defaults = find_model(str(model_copy)).defaults

    assert (defaults.height, defaults.width) == (height, width)


def test_an_unknown_scheduler_leaves_the_default_open(model_copy: Path) -> None:
    edit_json(model_copy / "model_index.json", scheduler=["diffusers", "UnheardOfScheduler"])

    assert find_model(str(model_copy)).defaults.scheduler is None


def test_the_known_models_can_be_named() -> None:
    assert next(iter(KNOWN_MODELS)) == EMBEDDED_MODEL
    for name, model in KNOWN_MODELS.items():
        assert model.name == name
        assert model.licence
        assert name == EMBEDDED_MODEL or parse_hub_model(name)
