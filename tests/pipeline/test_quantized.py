"""Folders with quantised weights, where the packages that read them are installed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import FluxTransformer2DModel
from transformers import T5EncoderModel

from sheepgen.adapters import Adapters
from sheepgen.errors import UsageError
from sheepgen.events import RunFinished
from sheepgen.models.component_memory import component_memory, total_bytes
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from tests.models.loaded_bytes import loaded_bytes
from tests.models.test_quantization import NF4
from tests.tiny import edit_json
from tests.tiny_flux1 import save_tiny_flux1

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=3.5, width=48, height=32
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_flux1(tmp_path / "model")


def load(folder: Path, dtype: str = "fp32") -> Any:
    return load_model(str(folder), device="cpu", dtype=dtype)


def latents_sha256(model: Any) -> str:
    *_, finished = stream(model, REQUEST)
    assert isinstance(finished, RunFinished)
    return finished.record.latents_sha256


def planned_bytes(model: Any, dtype: str) -> int:
    return total_bytes(component_memory(model.spec.checkpoint, dtype))


def save_again(model: Any, folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    model.save_pretrained(folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings", [{"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, {"load_in_8bit": True}]
)
def test_a_text_encoder_by_bitsandbytes(folder: Path, settings: dict[str, Any]) -> None:
    pytest.importorskip("bitsandbytes")
    from transformers import BitsAndBytesConfig

    place = folder / "text_encoder_2"
    config = BitsAndBytesConfig(bnb_4bit_compute_dtype=torch.float32, **settings)
    theirs = T5EncoderModel.from_pretrained(place, quantization_config=config, dtype=torch.float32)
    before = latents_sha256(load(folder))
    save_again(theirs, place)

    model = load(folder)
    names = {type(layer).__name__ for layer in model.text_encoder_2.model.modules()}
    assert names & {"Linear4bit", "Linear8bitLt"}
    assert planned_bytes(model, "fp32") == loaded_bytes(model)
    tokens = torch.tensor([[3, 4, 5, 1]])
    with torch.inference_mode():
        assert torch.equal(model.text_encoder_2.model(tokens)[0], theirs(tokens)[0])
    assert latents_sha256(model) != before


@pytest.mark.filterwarnings("ignore")
def test_a_transformer_by_torchao(folder: Path) -> None:
    pytest.importorskip("torchao")
    from diffusers import TorchAoConfig
    from torchao.quantization import Int8WeightOnlyConfig

    place, precision = folder / "transformer", torch.bfloat16
    theirs = FluxTransformer2DModel.from_pretrained(
        place, quantization_config=TorchAoConfig(Int8WeightOnlyConfig()), dtype=precision
    )
    before = latents_sha256(load(folder, "bf16"))
    save_again(theirs, place)

    model = load(folder, "bf16")
    assert type(model.transformer.proj_out.weight.data).__name__ == "Int8Tensor"
    planned = {each.name: each for each in component_memory(model.spec.checkpoint, "bf16")}
    stored = model.spec.checkpoint.stored["transformer"].data_bytes
    assert planned["transformer"].weight_bytes == stored
    theirs.requires_grad_(requires_grad=False)
    assert latents_sha256(model) == latents_sha256(replace(model, transformer=theirs)) != before


def test_a_package_that_is_missing_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    edit_json(folder / "text_encoder_2" / "config.json", quantization_config=NF4)
    message = "text_encoder_2 is quantised: it is read by the package bitsandbytes, which is not"
    with pytest.raises(UsageError, match=message) as error:
        load(folder)
    assert error.value.hint == "pip install bitsandbytes accelerate"


def test_a_machine_without_a_graphics_card(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    edit_json(folder / "transformer" / "config.json", quantization_config=NF4)
    with pytest.raises(UsageError, match="needs a GPU, and this machine has none"):
        load(folder)


def test_no_lora_is_added_to_quantised_weights(folder: Path) -> None:
    edit_json(folder / "transformer" / "config.json", quantization_config=NF4)
    with pytest.raises(UsageError, match="transformer has quantised weights, to which no LoRA"):
        load_model(str(folder), device="cpu", adapters=Adapters(lora="a.safetensors"))
    assert json.loads((folder / "transformer" / "config.json").read_text())["quantization_config"]
