from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import read_checkpoint
from sheepgen.models.json_file import MAX_BYTES
from sheepgen.models.resolve import find_model
from tests.tiny import edit_json


class Canary:
    """A pickle of this makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_a_saved_model_passes(tiny_folder: Path) -> None:
    checkpoint = read_checkpoint(tiny_folder)

    assert checkpoint.folder == tiny_folder
    assert checkpoint.classes == {
        "scheduler": "DDIMScheduler",
        "text_encoder": "CLIPTextModel",
        "tokenizer": "CLIPTokenizer",
        "unet": "UNet2DConditionModel",
        "vae": "AutoencoderKL",
    }
    assert checkpoint.weights == (
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    )
    for component, config in checkpoint.configs.items():
        (path,) = (tiny_folder / component).glob("*config.json")
        assert config == json.loads(path.read_text())


def test_a_safety_checker_is_let_be(model_copy: Path) -> None:
    edit_json(
        model_copy / "model_index.json",
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPImageProcessor"],
    )

    assert "safety_checker" not in read_checkpoint(model_copy).classes


@pytest.mark.parametrize(
    ("class_name", "family"),
    [
        ("StableDiffusionXLControlNetPipeline", "a model with control"),
        ("StableDiffusionXLPAGPipeline", "a model with perturbed-attention guidance"),
        ("StableDiffusion3ControlNetPipeline", "Stable Diffusion 3 with control"),
        ("FluxFillPipeline", "FLUX.1 Fill"),
        ("GlmImagePipeline", "GLM-Image"),
        ("LDMSuperResolutionPipeline", "Latent Diffusion for larger pictures"),
        ("StableDiffusionInstructPix2PixPipeline", "StableDiffusionInstructPix2Pix"),
        ("MyPipeline\x1b[2J", "MyPipeline"),
        (["my_pipeline", "MyPipeline"], "my_pipeline"),
        (None, "None"),
    ],
)
def test_other_families_are_refused_by_name(
    model_copy: Path, class_name: object, family: str
) -> None:
    edit_json(model_copy / "model_index.json", _class_name=class_name)

    with pytest.raises(ModelError, match=f"unsupported family: .*{family}") as error:
        read_checkpoint(model_copy)

    assert "\x1b" not in error.value.message


@pytest.mark.parametrize(
    ("component", "entry"),
    [
        ("scheduler", ["evil_module", "DDIMScheduler"]),
        ("scheduler", ["diffusers", "os.system"]),
        ("scheduler", ["diffusers", "DDIMScheduler\n"]),
        ("scheduler", ["transformers", "DDIMScheduler"]),
        ("tokenizer", ["transformers", "AutoTokenizer"]),
        ("text_encoder", ["transformers", "CLIPTextModelWithProjection"]),
        ("unet", ["my_unet", "UNet2DConditionModel"]),
        ("unet", [None, None]),
        ("unet", "UNet2DConditionModel"),
        ("vae", ["diffusers", ["AutoencoderKL"]]),
        ("vae", None),
        ("extra", ["evil_module", "Extra"]),
    ],
)
def test_only_known_classes_of_known_libraries_are_named(
    model_copy: Path, component: str, entry: object
) -> None:
    edit_json(model_copy / "model_index.json", **{component: entry})

    with pytest.raises(ModelError, match="Unsupported") as error:
        read_checkpoint(model_copy)

    assert component in error.value.message


def test_code_in_the_folder_is_not_looked_at(model_copy: Path) -> None:
    for name in ("pipeline.py", "unet/unet.py", "scheduler/scheduler.py"):
        (model_copy / name).write_text("raise SystemExit('code of the model was run')")

    assert read_checkpoint(model_copy).classes["unet"] == "UNet2DConditionModel"


def test_pickles_are_never_read(model_copy: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    pickled = pickle.dumps(Canary(marker))
    for weights in model_copy.rglob("*.safetensors"):
        weights.with_suffix(".bin").write_bytes(pickled)
        weights.unlink()

    with pytest.raises(ModelError, match="pickled weights"):
        read_checkpoint(model_copy)

    assert not marker.exists()


def test_a_pickle_with_a_better_name_is_no_better(model_copy: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    weights = model_copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(pickle.dumps(Canary(marker)))

    with pytest.raises(ModelError, match="is a pickle, whatever it is called"):
        read_checkpoint(model_copy)

    assert not marker.exists()


def test_a_folder_without_an_index_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not a diffusers folder: it has no model_index\.json"):
        read_checkpoint(tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        read_checkpoint(tmp_path / "none")


@pytest.mark.parametrize("name", ["unet/config.json", "tokenizer/tokenizer.json"])
def test_huge_files_are_not_read(model_copy: Path, name: str) -> None:
    os.truncate(model_copy / name, MAX_BYTES + 1)

    with pytest.raises(ModelError, match=f"{name} is larger than 40,000,000 bytes"):
        read_checkpoint(model_copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_config_is_named(model_copy: Path, content: bytes) -> None:
    (model_copy / "vae" / "config.json").write_bytes(content)

    with pytest.raises(ModelError, match=r"vae/config\.json is not a JSON object"):
        read_checkpoint(model_copy)


def test_a_component_in_another_folder_is_refused(model_copy: Path, tmp_path: Path) -> None:
    shutil.move(model_copy / "unet", tmp_path / "elsewhere")
    (model_copy / "unet").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ModelError, match=r"unet of .* is in another folder"):
        read_checkpoint(model_copy)


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "vae/config.json"])
def test_a_link_that_leads_nowhere_is_said(model_copy: Path, name: str) -> None:
    (model_copy / name).unlink()
    (model_copy / name).symlink_to("../../blobs/0123")

    with pytest.raises(ModelError, match=f"broken link: {name}") as error:
        read_checkpoint(model_copy)

    assert "cp -rL" in error.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "tokenizer/tokenizer.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    ],
)
@pytest.mark.parametrize("link", [False, True])
def test_a_pipe_where_a_file_should_be_is_not_waited_for(
    model_copy: Path, tmp_path: Path, name: str, link: bool
) -> None:
    (model_copy / name).unlink()
    os.mkfifo(tmp_path / "pipe" if link else model_copy / name)
    if link:
        (model_copy / name).symlink_to(tmp_path / "pipe")

    with pytest.raises(ModelError, match=f"not a regular file: {name}"):
        read_checkpoint(model_copy)


@pytest.mark.parametrize("name", ["training.json", "preview_decoder/config.json"])
def test_a_device_that_is_not_needed_is_not_read(model_copy: Path, name: str) -> None:
    (model_copy / name).parent.mkdir(exist_ok=True)
    (model_copy / name).symlink_to("/dev/zero")

    assert find_model(str(model_copy)).defaults.num_inference_steps == 50


def test_files_may_be_links(model_copy: Path, tmp_path: Path) -> None:
    weights = model_copy / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.move(weights, tmp_path / "blob")
    weights.symlink_to(tmp_path / "blob")

    assert read_checkpoint(model_copy).folder == model_copy


def test_a_shard_index_cannot_lead_out_of_the_folder(model_copy: Path) -> None:
    stem = model_copy / "unet" / "diffusion_pytorch_model"
    weights = stem.with_suffix(".safetensors")
    weights.rename(f"{stem}-00001-of-00001.safetensors")
    index = Path(f"{weights}.index.json")
    index.write_text(json.dumps({"weight_map": {"w": "../../../secret.safetensors"}}))

    with pytest.raises(ModelError, match="not one of its shards"):
        read_checkpoint(model_copy)
