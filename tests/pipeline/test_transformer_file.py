"""A transformer out of one file is what diffusers loads of it, for every family, bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel, GGUFQuantizationConfig
from safetensors.torch import load_file, save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, UsageError
from sheepgen.events import RunFinished
from sheepgen.models.families import FAMILIES
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.cpu_bf16 import lay_out
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from tests.gguf_file import save_gguf
from tests.original_transformer import ORIGINAL
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, unpack_for
from tests.pipeline.test_flow_families import SAVE as SAVE_FLOW
from tests.tiny import assert_same_weights
from tests.tiny_flux1 import save_tiny_flux1, tiny_flux1_pipeline
from tests.tiny_pixart import save_tiny_pixart

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from sheepgen.pipeline.family import LoadedModel

SAVE = {**SAVE_FLOW, "PixArt": save_tiny_pixart}

KINDS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K")

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=3.5, width=48, height=32
)


def weights_of(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")


def load(folder: Path, file: Path, dtype: str = "fp32") -> Any:
    adapters = Adapters(transformer=str(file))
    return load_model(str(folder), device="cpu", dtype=dtype, adapters=adapters)


def latents_sha256(model: LoadedModel, request: GenerationRequest) -> str:
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    return finished.record.latents_sha256


def theirs(transformer: Any, folder: Path, file: Path, **settings: Any) -> Any:
    """Return what diffusers loads of a file, as its users do."""
    loaded = type(transformer).from_single_file(
        str(file),
        config=str(folder / "transformer"),
        local_files_only=True,
        **{"dtype": torch.float32} | settings,
    )
    return loaded.requires_grad_(requires_grad=False)


@pytest.fixture(
    scope="module",
    params=[family.name for family in FAMILIES if "transformer" in family.fields],
)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SAVE[family](tmp_path_factory.mktemp("models") / "model")


def test_a_file_of_diffusers_is_the_models_own(folder: Path, tmp_path: Path) -> None:
    weights = weights_of(folder)
    save_file(weights, tmp_path / "t.safetensors")
    own = load_model(str(folder), device="cpu", dtype="fp32")
    model = load(folder, tmp_path / "t.safetensors")
    transformer = vars(own)["transformer"]
    assert_same_weights(model.transformer, transformer)
    # diffusers leaves them where they lie in the folder's file, on which the last bits depend.
    for weight in transformer.parameters():
        weight.data = weight.data.clone()
    request = replace(REQUEST, transformer=str(tmp_path / "t.safetensors"))
    assert latents_sha256(model, request) == latents_sha256(own, REQUEST)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_quantised_weights_of_every_family(
    family: str, folder: Path, tmp_path: Path, kind: str
) -> None:
    pytest.importorskip("gguf")
    if family == "PixArt":
        pytest.skip("diffusers reads no such file for it")
    file = save_gguf(tmp_path / "t.gguf", weights_of(folder), kind)
    model = load(folder, file)
    config = GGUFQuantizationConfig(compute_dtype=torch.float32)
    other = replace(
        model, transformer=theirs(model.transformer, folder, file, quantization_config=config)
    )
    request = replace(REQUEST, transformer=str(file))
    assert latents_sha256(model, request) == latents_sha256(other, request)
    own = load_model(str(folder), device="cpu", dtype="fp32")
    assert latents_sha256(model, request) != latents_sha256(own, REQUEST)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name in ORIGINAL
        for kind in ("safetensors", "Q8_0")
        if (name, kind) != ("PixArt", "Q8_0")
    ],
)
def test_the_makers_names(name: str, kind: str, tmp_path: Path) -> None:
    folder = SAVE[name](tmp_path / "model")
    weights = ORIGINAL[name](weights_of(folder))
    assert weights.keys() != weights_of(folder).keys()
    if kind == "safetensors":
        file = tmp_path / "t.safetensors"
        save_file({key: weight.contiguous() for key, weight in weights.items()}, file)
        own = load_model(str(folder), device="cpu", dtype="fp32")
        assert_same_weights(load(folder, file).transformer, vars(own)["transformer"])
        return
    pytest.importorskip("gguf")
    model = load(folder, save_gguf(tmp_path / "a.gguf", weights, kind))
    same = load(folder, save_gguf(tmp_path / "b.gguf", weights_of(folder), kind))
    a, b = (replace(REQUEST, transformer=str(tmp_path / f"{each}.gguf")) for each in "ab")
    assert latents_sha256(model, a) == latents_sha256(same, b)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("Sana", {"qk_norm": "rms_norm_across_heads"}), ("PixArt", {"alpha": True})],
)
def test_the_makers_names_in_other_versions(
    name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    """Sana 1.5 has norms that diffusers' converter does not know, and PixArt-alpha the size."""
    folder = SAVE[name](tmp_path / "model", **changes)
    save_file(ORIGINAL[name](weights_of(folder)), tmp_path / "t.safetensors")
    own = load_model(str(folder), device="cpu", dtype="fp32")
    found = load(folder, tmp_path / "t.safetensors")
    assert_same_weights(found.transformer, vars(own)["transformer"])


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a FLUX.1 model with a layer that is wide enough for blocks of 256."""
    pipeline = tiny_flux1_pipeline()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = dict(pipeline.transformer.config) | {"attention_head_dim": 128}
        config |= {"num_attention_heads": 2, "axes_dims_rope": (32, 48, 48)}
        pipeline.transformer = FluxTransformer2DModel.from_config(config)
    folder = tmp_path_factory.mktemp("models") / "wide"
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_in_diffusers_pipeline(wide: Path, tmp_path: Path, kind: str) -> None:
    pytest.importorskip("gguf")
    file = save_gguf(tmp_path / "t.gguf", weights_of(wide), kind)
    model = load(wide, file)
    pipeline = diffusers_pipeline(wide, FluxPipeline)
    config = GGUFQuantizationConfig(compute_dtype=torch.float32)
    pipeline.transformer = theirs(pipeline.transformer, wide, file, quantization_config=config)
    request = replace(REQUEST, transformer=str(file))
    assert_same_flow(model, request, pipeline, unpack_for(request), guidance_scale=3.5)


def test_sums_have_the_models_precision(wide: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    file = save_gguf(tmp_path / "t.gguf", weights_of(wide), "Q8_0")
    model = load(wide, file, "bf16")
    other = replace(
        model,
        transformer=theirs(
            model.transformer,
            wide,
            file,
            quantization_config=GGUFQuantizationConfig(compute_dtype=torch.bfloat16),
            dtype=torch.bfloat16,
        ),
    )
    lay_out(other)
    request = replace(REQUEST, transformer=str(file))
    assert model.transformer.dtype == torch.bfloat16
    assert latents_sha256(model, request) == latents_sha256(other, request)


def test_quantised_biases_and_norms_become_numbers(wide: Path, tmp_path: Path) -> None:
    """diffusers leaves them as they are stored, and its layers take the bytes for numbers."""
    pytest.importorskip("gguf")
    weights = {name: weight.bfloat16() for name, weight in weights_of(wide).items()}
    save_file(weights, tmp_path / "t.safetensors")
    save_gguf(tmp_path / "t.gguf", weights, "BF16", all_alike=True)
    found = set()
    for suffix in ("gguf", "safetensors"):
        file = tmp_path / f"t.{suffix}"
        found.add(latents_sha256(load(wide, file), replace(REQUEST, transformer=str(file))))
    assert len(found) == 1


@pytest.mark.parametrize("name", ["Z-Image", "Stable Diffusion 3"])
def test_quantised_tokens_and_positions_become_numbers(name: str, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    folder = SAVE[name](tmp_path / "model")
    files = [
        save_gguf(tmp_path / f"{kind}.gguf", weights_of(folder), kind, all_alike=True)
        for kind in ("F32", "BF16")
    ]
    exact, rounded = (load(folder, file).transformer.state_dict() for file in files)
    for name, weight in exact.items():
        if not name.endswith(".weight"):
            assert torch.equal(rounded[name], weight.bfloat16().float()), name
    request = replace(REQUEST, transformer=str(files[1]))
    assert latents_sha256(load(folder, files[1]), request)


def test_float8_weights_become_numbers_of_the_models_precision(wide: Path, tmp_path: Path) -> None:
    weights = {
        name: weight.to(torch.float8_e4m3fn) if weight.ndim > 1 else weight
        for name, weight in weights_of(wide).items()
    }
    save_file(weights, tmp_path / "t.safetensors")
    loaded = load(wide, tmp_path / "t.safetensors").transformer.state_dict()
    assert all(torch.equal(loaded[name], weight.float()) for name, weight in weights.items())


def save_changed(folder: Path, file: Path, **changes: Tensor | None) -> Path:
    """Write a transformer with other weights, or without some."""
    weights: dict[str, Any] = {**weights_of(folder), **changes}
    save_file({name: each for name, each in weights.items() if each is not None}, file)
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proj_out.bias": None}, r"no weights for proj_out.bias \(1 are missing\)"),
        ({"proj_in.bias": torch.ones(1)}, r"does not have: proj_in.bias \(1 in all\)"),
        ({"proj_out.bias": torch.ones(3)}, "transformer cannot be loaded: .*size mismatch"),
        ({"x_embedder.weight": torch.ones(8, 64)}, "8 as its width, and the model's config 256"),
        ({"x_embedder.weight": torch.ones(256, 8)}, "8 as its numbers in a patch, .* config 64"),
        ({"transformer_blocks.9.a": torch.ones(1)}, "2 as its num_layers, .* config 1"),
        ({"x_embedder.weight": None}, "is not a transformer of a known layout"),
        ({"proj_out.bias": torch.ones(64, dtype=torch.int8)}, "weights of type I8"),
        ({"proj_out.scale_weight": torch.ones(1)}, "weights with scales of their own"),
    ],
)
def test_files_that_do_not_fit(
    wide: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = save_changed(wide, tmp_path / "t.safetensors", **changes)
    with pytest.raises(ModelError, match=message):
        load(wide, file)


def test_a_transformer_of_another_family_is_named(tmp_path: Path) -> None:
    flux, z_image = (SAVE[name](tmp_path / name) for name in ("FLUX.1", "Z-Image"))
    save_file(weights_of(z_image), tmp_path / "z.safetensors")
    with pytest.raises(ModelError, match=r"not a transformer of FLUX.1, but ZImageTransformer2D"):
        load(flux, tmp_path / "z.safetensors")


def test_guidance_that_the_model_does_not_read(tmp_path: Path) -> None:
    schnell = save_tiny_flux1(tmp_path / "schnell", guidance_embeds=False)
    save_file(weights_of(save_tiny_flux1(tmp_path / "dev")), tmp_path / "dev.safetensors")
    with pytest.raises(ModelError, match="guidance_embedder"):
        load(schnell, tmp_path / "dev.safetensors")


def test_a_file_without_what_reads_it(wide: Path, tmp_path: Path, monkeypatch: Any) -> None:
    file = save_gguf(tmp_path / "t.gguf", weights_of(wide), "F16")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        UsageError, match=r"t.gguf is read by the package gguf, which is not installed"
    ) as error:
        load(wide, file)
    assert error.value.hint == "pip install gguf accelerate"


def test_the_models_own_weights_need_not_be_there(tmp_path: Path) -> None:
    folder = SAVE["FLUX.1"](tmp_path / "model")
    own = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    file = tmp_path / "t.safetensors"
    save_file(weights_of(folder), file)
    whole = load(folder, file)
    own.unlink()
    model = load(folder, file)
    assert model.spec.sha256 == whole.spec.sha256, "its own transformer is not of it any more"
    request = replace(REQUEST, transformer=str(file))
    assert latents_sha256(model, request) == latents_sha256(whole, request)
    with pytest.raises(ModelError, match="has no transformer/diffusion_pytorch_model"):
        find_model(str(folder))
    assert json.loads((folder / "transformer" / "config.json").read_text())


def test_quantised_weights_that_diffusers_does_not_read(tmp_path: Path) -> None:
    folder = save_tiny_pixart(tmp_path / "model")
    file = save_gguf(tmp_path / "t.gguf", weights_of(folder), "Q8_0")
    with pytest.raises(ModelError, match=r"a .gguf file, which diffusers does not read for PixArt"):
        load(folder, file)


def test_models_with_a_unet_take_none(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Stable Diffusion 1.x and 2.x takes no transformer"):
        load(tiny_folder, tmp_path / "t.gguf")
