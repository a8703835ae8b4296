"""Latent Diffusion is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import LDMTextToImagePipeline, PNDMScheduler
from PIL import Image

from sheepgen.errors import ModelError, UsageError
from sheepgen.events import RunFinished
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.latent_diffusion import LatentDiffusionModel, check_schedule, read_prompt
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import generate, stream
from sheepgen.request import GenerationRequest
from tests.pipeline.reference import diffusers_pipeline
from tests.tiny import edit_json
from tests.tiny_ldm import MAX_TOKENS, SIDE, TEXT_WIDTH, save_tiny_ldm

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = GenerationRequest(
    prompt="a red sheep and foxes of a Motorcycle",
    seed=5,
    num_inference_steps=4,
    guidance_scale=3.0,
    width=SIDE,
    height=SIDE,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_ldm(tmp_path_factory.mktemp("ldm"))


@pytest.fixture(scope="module")
def model(folder: Path) -> LatentDiffusionModel:
    model = load_model(str(folder))
    assert isinstance(model, LatentDiffusionModel)
    return model


def assert_same(folder: Path, request: GenerationRequest, **inputs: Any) -> None:
    """Assert that final latents and pixels are diffusers' bit for bit."""
    pipeline = diffusers_pipeline(folder, LDMTextToImagePipeline)
    last: list[torch.Tensor] = []
    step = pipeline.scheduler.step

    def watched(*arguments: Any, **named: Any) -> Any:
        output = step(*arguments, **named)
        last[:] = [output.prev_sample]
        return output

    pipeline.scheduler.step = watched
    images = pipeline(
        request.prompt,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        width=request.width,
        height=request.height,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="np",
        **inputs,
    ).images
    *_, finished = stream(load_model(str(folder)), request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(last[0])
    assert np.array_equal(np.asarray(finished.image), (images[0] * 255).round().astype("uint8"))


@pytest.mark.parametrize("quantised", [True, False], ids=["VQ-VAE", "VAE"])
@pytest.mark.parametrize("scale", [1.0, 3.0, 6.0])
def test_latents_and_pixels_are_diffusers(tmp_path: Path, quantised: bool, scale: float) -> None:
    folder = save_tiny_ldm(tmp_path, quantised=quantised)
    assert_same(folder, replace(REQUEST, guidance_scale=scale, width=2 * SIDE))


def test_a_negative_prompt_takes_the_place_of_the_empty_text(model: LatentDiffusionModel) -> None:
    def latents(**changes: Any) -> str:
        *_, finished = stream(model, replace(REQUEST, **changes))
        assert isinstance(finished, RunFinished)
        return finished.record.latents_sha256

    assert latents() == latents(negative_prompt="")
    assert latents() != latents(negative_prompt="blue")
    assert latents(guidance_scale=1.0) == latents(guidance_scale=1.0, negative_prompt="blue")


@pytest.mark.parametrize("name", ["pndm", "ddim"])
def test_schedulers_are_diffusers(folder: Path, name: str) -> None:
    request = replace(REQUEST, scheduler=name)
    pipeline = diffusers_pipeline(folder, LDMTextToImagePipeline)
    if name == "pndm":
        config = dict(pipeline.scheduler.config)
        pipeline.scheduler = PNDMScheduler.from_config(config, skip_prk_steps=True)
    images = pipeline(
        request.prompt,
        num_inference_steps=4,
        guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(5),
        output_type="np",
    ).images
    image = generate(load_model(str(folder)), request)
    assert np.array_equal(np.asarray(image), (images[0] * 255).round().astype("uint8"))


def test_defaults_are_those_of_the_pipeline(model: LatentDiffusionModel) -> None:
    spec = model.spec
    assert spec.defaults.num_inference_steps == 50
    assert spec.defaults.guidance_scale == 1.0
    assert spec.defaults.scheduler == "ddim"
    assert (spec.defaults.width, spec.size_multiple) == (SIDE, 8)
    assert spec.max_tokens == MAX_TOKENS
    assert spec.guidance == "two passes"


def test_a_prompt_that_is_too_long_is_cut_and_said(model: LatentDiffusionModel) -> None:
    reading = read_prompt(model.spec, "a " * 74 + "red sheep")
    assert (reading.tokens, reading.limit) == (78, MAX_TOKENS)
    assert reading.truncated == ("sheep",)
    assert model.read_prompt("a red sheep") == read_prompt(model.spec, "a red sheep")
    labels = model.token_labels("red foxes")
    assert [label.text for label in labels[:5]] == ["[CLS]", "red", "fox", "##es", "[SEP]"]
    assert [label.word for label in labels[:5]] == [None, 0, 1, 1, None]
    assert {label.kind for label in labels[5:]} == {"padding"}
    assert len(labels) == MAX_TOKENS


def test_a_picture_is_continued(model: LatentDiffusionModel, tmp_path: Path) -> None:
    Image.new("RGB", (SIDE, SIDE), (200, 30, 30)).save(tmp_path / "red.png")
    request = replace(REQUEST, image=str(tmp_path / "red.png"), strength=0.5)
    assert generate(model, request).size == (SIDE, SIDE)


def test_more_steps_than_the_schedule_has_are_refused(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_ldm(tmp_path, num_train_timesteps=20)))
    check_schedule(spec, spec.resolve(REQUEST))
    with pytest.raises(UsageError, match="do not fit this model's schedule of 20 timesteps"):
        check_schedule(spec, spec.resolve(replace(REQUEST, num_inference_steps=21)))


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("bert/config.json", {"d_model": 16}, f"takes text embeddings of width {TEXT_WIDTH}"),
        ("bert/config.json", {"encoder_layers": 10**6}, "impossible value"),
        ("bert/config.json", {"encoder_ffn_dim": 10**9}, "impossible value"),
        ("bert/config.json", {"encoder_attention_heads": 0}, "impossible value"),
        ("bert/config.json", {"quantization_config": {"bits": 4}}, "quanti"),
        ("unet/config.json", {"class_embed_type": "timestep"}, "class labels in the U-Net"),
        ("unet/config.json", {"time_cond_proj_dim": 8}, "impossible value"),
        ("vqvae/config.json", {"latent_channels": 8}, "its latents have 8"),
        ("model_index.json", {"bert": ["os", "LDMBertModel"]}, "Unsupported bert class"),
        ("model_index.json", {"bert": ["latent_diffusion", "Other"]}, "Unsupported bert class"),
        ("model_index.json", {"vqvae": ["diffusers", "UNet2DModel"]}, "Unsupported vqvae class"),
    ],
)
def test_hostile_configs_are_refused(
    tmp_path: Path, file: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_ldm(tmp_path)
    edit_json(folder / file, **changes)
    with pytest.raises(ModelError, match=message):
        find_model(str(folder))


def test_a_larger_vocabulary_than_is_stored_is_not_built(tmp_path: Path) -> None:
    folder = save_tiny_ldm(tmp_path)
    edit_json(folder / "bert" / "config.json", vocab_size=300_000)
    with pytest.raises(ModelError, match="asks for more than its weights hold"):
        load_model(str(folder))
