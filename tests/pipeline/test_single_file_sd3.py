"""A Stable Diffusion 3 in one file is what diffusers makes of it without T5, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from safetensors.torch import load_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.metadata.record_json import from_json, to_json
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model, read_prompt
from sheepgen.request import GenerationRequest
from tests.gguf_file import save_gguf
from tests.original_sd3 import save_original_sd3, save_sd3_file
from tests.pipeline.reference import assert_same_flow, with_aligned_texts
from tests.tiny import assert_same_weights

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud",
    seed=42,
    num_inference_steps=2,
    guidance_scale=4.0,
    width=32,
    height=32,
)

T5 = {"text_encoders.t5xxl.transformer.shared.weight": torch.ones(4, 4)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_original_sd3(tmp_path_factory.mktemp("models") / "folder")


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    return save_sd3_file(folder, folder.with_suffix(".safetensors"), more=T5)


@pytest.fixture(scope="module")
def model(file: Path) -> Any:
    return load_model(str(file), device="cpu", dtype="fp32")


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_images_are_those_of_diffusers(
    folder: Path, file: Path, model: Any, guidance: float
) -> None:
    pipeline = StableDiffusion3Pipeline.from_single_file(
        str(file), config=str(folder), text_encoder_3=None, tokenizer_3=None
    )
    pipeline.set_progress_bar_config(disable=True)
    for parameter in pipeline.transformer.parameters():  # as the texts' below
        parameter.data = parameter.data.clone()
    request = replace(REQUEST, guidance_scale=guidance)
    finished = assert_same_flow(
        model,
        request,
        with_aligned_texts(pipeline),
        negative_prompt=request.negative_prompt,
        guidance_scale=guidance,
    )
    record = finished.record
    assert record.environment.left_out == "text_encoder_3"
    assert from_json(to_json(record)) == record


def test_a_folder_without_t5_is_the_same(folder: Path, model: Any) -> None:
    other = load_model(str(folder), device="cpu", dtype="fp32")
    for name in ("text_encoder", "text_encoder_2", "transformer", "vae"):
        assert_same_weights(vars(model)[name], vars(other)[name])
    assert other.spec.max_tokens == model.spec.max_tokens == 77
    assert other.spec.checkpoint.left_out == "text_encoder_3"


@pytest.mark.parametrize(
    ("more", "why"),
    [(T5, "the file does not hold T5's vocabulary"), ({}, "the file holds no T5")],
)
def test_that_t5_is_left_out_is_said(
    folder: Path, tmp_path: Path, more: dict[str, Any], why: str
) -> None:
    file = save_sd3_file(folder, tmp_path / "sd3.safetensors", more=more)
    spec = find_model(str(file))
    request = spec.resolve(replace(REQUEST, model=str(file)))
    assert outside_warnings([request], {request.model_reference: spec}) == (
        "Warning: sd3.safetensors runs without the text encoder T5, with zeros in its place: "
        f"{why}. CLIP alone reads prompts, and no more than 77 tokens of them.",
    )
    assert (spec.defaults.width, spec.defaults.height) == (96, 96)  # all that it has positions for


def test_prompts_are_measured_by_clip(file: Path, model: Any) -> None:
    words = " ".join(["sheep"] * 90)
    reading = model.read_prompt(words)
    assert (reading.limit, len(reading.truncated)) == (77, 15)
    assert read_prompt(find_model(str(file)), words) == reading
    labels = model.token_labels("a sheep")
    assert [label.position for label in labels] == [*range(77 + 256)]
    assert {(label.kind, label.text) for label in labels[77:]} == {("padding", "zeros")}


def test_a_file_without_text_encoders_is_for_a_whole_model(folder: Path, tmp_path: Path) -> None:
    file = save_sd3_file(folder, tmp_path / "a.safetensors", without="text_encoders.", more={})
    with pytest.raises(ModelError, match="transformer of Stable Diffusion 3, but not all") as error:
        find_model(str(file))
    assert error.value.hint == (
        "Give it to a whole model of that family, as in --model "
        "stabilityai/stable-diffusion-3.5-large --transformer FILE."
    )
    transformer = load_model(
        str(folder), device="cpu", dtype="fp32", adapters=Adapters(transformer=str(file))
    )
    own = load_model(str(folder), device="cpu", dtype="fp32")
    assert_same_weights(vars(transformer)["transformer"], vars(own)["transformer"])


def test_a_part_of_a_model_is_not_enough(folder: Path, tmp_path: Path) -> None:
    without = "text_encoders.clip_l."
    file = save_sd3_file(folder, tmp_path / "a.safetensors", without=without, more={})
    with pytest.raises(ModelError, match="has no text_encoder: it holds a part of a model"):
        find_model(str(file))


def test_another_transformer_takes_the_place_of_its_own(
    folder: Path, file: Path, model: Any, tmp_path: Path
) -> None:
    pytest.importorskip("gguf")
    weights = load_file(next((folder / "transformer").glob("*.safetensors")))
    other = save_gguf(tmp_path / "t.gguf", weights, "F32")
    adapters = Adapters(transformer=str(other))
    found = load_model(str(file), device="cpu", dtype="fp32", adapters=adapters)
    assert_same_weights(vars(found)["transformer"], vars(model)["transformer"])
