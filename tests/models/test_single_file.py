"""What a file in the original layout is, by its header alone, and what is refused."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from sheepgen.errors import ModelError
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.models.single_file import read_single_file
from sheepgen.request import GenerationRequest
from tests.original import save_original_model, save_single_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def single_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return save_single_file(save_original_model(folder / "sd1"), folder / "sd1.safetensors")


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def write(path: Path, header: dict[str, Any], data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def headers_only(path: Path, shapes: dict[str, tuple[int, ...]], **metadata: str) -> Path:
    """Write a file whose weights are a hole on the disk."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    write(path, header, b"")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + end)
    return path


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    header, _ = header_of(path)
    return {name: tuple(each["shape"]) for name, each in header.items() if name != "__metadata__"}


def test_configs_are_those_of_the_folder(single_file: Path) -> None:
    found, folder = (
        find_model(str(path)).checkpoint for path in (single_file, single_file.with_suffix(""))
    )

    for component, config in found.configs.items():
        for setting, value in config.items():
            if component == "scheduler" or setting == "sample_size":
                continue  # which no weight says
            expected = folder.configs[component].get(setting, value)
            assert value == (list(expected) if isinstance(expected, tuple) else expected) or (
                setting == "transformer_layers_per_block" and {*value} == {expected}
            ), f"{component}.{setting}"


def test_it_is_named_by_its_own_hash(single_file: Path) -> None:
    import hashlib

    spec = find_model(str(single_file))

    assert spec.sha256 == hashlib.sha256(single_file.read_bytes()).hexdigest()
    assert spec.checkpoint.path == single_file


def test_the_size_and_prediction_are_read_where_they_are_written(
    single_file: Path, tmp_path: Path
) -> None:
    shapes = shapes_of(single_file)
    path = headers_only(
        tmp_path / "v.safetensors",
        shapes,
        **{"modelspec.prediction_type": "v", "modelspec.resolution": "48x32"},
    )
    spec = find_model(str(path))
    assert (spec.defaults.width, spec.defaults.height) == (48, 32)
    assert spec.checkpoint.configs["scheduler"]["prediction_type"] == "v_prediction"

    marked = {**shapes, "v_pred": (1,), "ztsnr": (1,)}
    scheduler = read_single_file(headers_only(tmp_path / "m", marked)).configs["scheduler"]
    assert scheduler["prediction_type"] == "v_prediction"
    assert scheduler["rescale_betas_zero_snr"]


@pytest.mark.parametrize(
    ("yaml", "prediction"),
    [
        ('params:\n    parameterization: "v"\n', "v_prediction"),
        ("params:\n    timesteps: 1000\n", "epsilon"),
    ],
)
def test_a_yaml_file_beside_it_says_what_is_predicted(
    single_file: Path, tmp_path: Path, yaml: str, prediction: str
) -> None:
    path = headers_only(tmp_path / "model.safetensors", shapes_of(single_file))
    path.with_suffix(".yaml").write_text(yaml, encoding="utf-8")

    assert read_single_file(path).configs["scheduler"]["prediction_type"] == prediction


def test_the_last_of_openclips_layers_is_left_out(tmp_path: Path) -> None:
    whole = save_single_file(
        save_original_model(tmp_path / "folder", version=2), tmp_path / "whole", version=2
    )
    layer = "cond_stage_model.model.transformer.resblocks."
    shapes = shapes_of(whole)
    shapes |= {f"{layer}{number}.mlp.c_fc.weight": (96, 64) for number in range(24)}
    configs = read_single_file(headers_only(tmp_path / "sd2", shapes)).configs

    assert configs["text_encoder"]["num_hidden_layers"] == 23
    assert configs["scheduler"]["prediction_type"] == "v_prediction"
    assert configs["tokenizer"]["pad_token"] == "!"


def test_what_is_assumed_is_said_until_it_is_written(tmp_path: Path) -> None:
    folder = save_original_model(tmp_path / "folder", version=2)
    path = save_single_file(folder, tmp_path / "two.safetensors", version=2)
    spec = find_model(str(path))
    request = spec.resolve(GenerationRequest(prompt="a sheep", seed=1, model=str(path)))

    assert outside_warnings([request], {request.model_reference: spec}) == (
        "Warning: nothing says what the U-Net of two.safetensors predicts; v is assumed. If images "
        "are noise, write `parameterization: eps` into two.yaml.",
    )
    path.with_suffix(".yaml").write_text("parameterization: eps\n", encoding="utf-8")
    assert read_single_file(path).assumption == ""
    assert read_single_file(path).configs["scheduler"]["prediction_type"] == "epsilon"


def _edit(name: str, **changes: object) -> Callable[[Path, Path], Path]:
    def make(whole: Path, path: Path) -> Path:
        header, data = header_of(whole)
        found = next(key for key in header if name in key)
        header[found] |= changes
        return write(path, header, data)

    return make


def _without(part: str) -> Callable[[Path, Path], Path]:
    return lambda whole, path: headers_only(
        path, {name: shape for name, shape in shapes_of(whole).items() if part not in name}
    )


def _with(name: str, shape: tuple[int, ...]) -> Callable[[Path, Path], Path]:
    return lambda whole, path: headers_only(path, {**shapes_of(whole), name: shape})


def _only(*names: str) -> Callable[[Path, Path], Path]:
    return lambda _, path: headers_only(path, dict.fromkeys(names, (4, 4)))


def _bytes(make: Callable[[bytes], bytes]) -> Callable[[Path, Path], Path]:
    def write_bytes(whole: Path, path: Path) -> Path:
        path.write_bytes(make(whole.read_bytes()))
        return path

    return write_bytes


def _archive(_: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
    return path


def _int8(whole: Path, path: Path) -> Path:
    header, data = header_of(whole)
    tensor = header[next(key for key in header if key.startswith("model.diffusion_model."))]
    tensor |= {"dtype": "I8", "shape": [tensor["data_offsets"][1] - tensor["data_offsets"][0]]}
    return write(path, header, data)


CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"
TOKENS = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"

HOSTILE: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "empty": (_bytes(lambda _: b""), "truncated"),
    "cut short": (_bytes(lambda data: data[:-9]), r"truncated \(9 bytes missing\)"),
    "too long": (_bytes(lambda data: data + b"\0"), "1 bytes longer"),
    "a text": (_bytes(lambda _: b"<html>not found</html>"), "not a safetensors file"),
    "a header without end": (_bytes(lambda data: b"\xff" * 8 + data), "not a safetensors file"),
    "a header that is no JSON": (_bytes(lambda _: struct.pack("<Q", 3) + b"{,}"), "not a JSON"),
    "a pickle": (_bytes(lambda _: pickle.dumps({"a": [1] * 99})), "is a pickle"),
    "an archive of pickles": (_archive, "is a pickle"),
    "an unknown type": (_edit(CONV_IN, dtype="F4"), "not a tensor of a known type"),
    "a type that is no text": (_edit(CONV_IN, dtype=[]), "not a tensor of a known type"),
    "another type": (_edit(CONV_IN, dtype="F64"), "does not fit its bytes"),
    "another shape": (_edit(CONV_IN, shape=[1, 2, 3]), "does not fit its bytes"),
    "a shape below nothing": (_edit(CONV_IN, shape=[-1, -1]), "not a tensor of a known type"),
    "a shape beyond all": (_edit(CONV_IN, shape=[10**9] * 8), "does not fit its bytes"),
    "a shape of truths": (_edit(CONV_IN, shape=[True]), "not a tensor of a known type"),
    "offsets backwards": (_edit(CONV_IN, data_offsets=[64, 0]), "does not fit its bytes"),
    "offsets of another": (_edit(TOKENS, data_offsets=[0, 49408 * 64 * 4]), "overlap"),
    "quantised": (_int8, "weights of type I8"),
    "no VAE": (_without("first_stage_model."), "has no vae"),
    "no U-Net": (_without("model.diffusion_model."), "has no unet"),
    "no text encoder": (_without("cond_stage_model."), "is a U-Net without a text encoder"),
    "no first layer": (_without("input_blocks.0.0"), "missing or of another shape"),
    "no layers": (_without("input_blocks.1."), "not a model of a known layout"),
    "another vocabulary": (_with(TOKENS, (49410, 64)), "knows 49,410 tokens"),
    "more channels than there are": (_with(CONV_IN, (32, 257, 3, 3)), "impossible value, 257"),
    "for editing": (_with(CONV_IN, (32, 8, 3, 3)), "8 input and 4 output channels"),
    "a LoRA": (_only("lora_unet_mid_block_attentions_0.alpha"), "is a LoRA"),
    "a refiner": (_only("conditioner.embedders.0.model.ln_final.weight"), "is a refiner"),
    "a LoRA of XLabs": (_only("double_blocks.0.processor.qkv_lora1.up.weight"), "is a LoRA"),
    "a transformer": (
        _only("img_in.weight", "vector_in.in_layer.weight", "double_blocks.0.img_mlp.0.weight"),
        "has a transformer of FLUX.1, but not all that it needs",
    ),
    "a transformer and its VAE": (
        _only(
            "model.diffusion_model.x_embedder.proj.weight",
            "model.diffusion_model.y_embedder.mlp.0.weight",
            "first_stage_model.decoder.conv_in.weight",
        ),
        "has a transformer of Stable Diffusion 3, but not all that it needs",
    ),
    "a transformer by diffusers' names": (
        _only("img_in.weight", "txt_norm.weight", "txt_in.weight"),
        "has a transformer of Qwen-Image, but not all that it needs",
    ),
    "a VAE": (_only("encoder.conv_in.weight"), "is a VAE"),
    "anything": (_only("weight"), "not a model of a known layout"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_other_files_are_refused(name: str, single_file: Path, tmp_path: Path) -> None:
    make, message = HOSTILE[name]

    with pytest.raises(ModelError, match=message):
        find_model(str(make(single_file, tmp_path / "model.safetensors")))


def test_what_comfyui_calls_a_checkpoint_of_flux_is_for_a_whole_model(tmp_path: Path) -> None:
    flux = ("img_in.weight", "vector_in.in_layer.weight", "double_blocks.0.img_mlp.0.weight")
    names = [f"model.diffusion_model.{name}" for name in flux]
    names += ["text_encoders.clip_l.a.weight", "text_encoders.t5xxl.a.weight", "vae.a.weight"]
    path = headers_only(tmp_path / "flux1-dev-fp8.safetensors", dict.fromkeys(names, (4, 4)))

    with pytest.raises(ModelError, match=r"has a transformer of FLUX.1, but not all") as error:
        find_model(str(path))

    assert error.value.hint == (
        "Give it to a whole model of that family, as in --model black-forest-labs/FLUX.1-dev "
        "--transformer FILE."
    )


def test_a_name_says_nothing(single_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "sdxl.ckpt"
    path.hardlink_to(single_file)

    assert find_model(str(path)).family.name.startswith("Stable Diffusion 1")


def test_what_a_file_is_made_for_in_its_folder_is_not_read(
    single_file: Path, tmp_path: Path
) -> None:
    path = headers_only(tmp_path / "model.safetensors", shapes_of(single_file))
    (tmp_path / "training.json").write_text(
        '{"sampling": {"num_inference_steps": 3, "guidance_scale": 2}}', encoding="utf-8"
    )

    assert find_model(str(path)).defaults.num_inference_steps == 50


def test_a_missing_file_is_said_to_be_missing() -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors does not exist"):
        find_model("models/none.safetensors")


def test_weights_without_tensors_are_no_model(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a")

    with pytest.raises(ModelError, match="not a model of a known layout"):
        find_model(str(tmp_path / "a"))
