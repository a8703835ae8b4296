"""FLUX.2 klein is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import Flux2KleinPipeline
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.events import RunFinished
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.flux2_klein import Flux2KleinModel
from sheepgen.pipeline.loading import read_prompt
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from tests.pipeline.loaded import load
from tests.pipeline.reference import added_up, assert_same_flow, diffusers_pipeline
from tests.tiny import edit_json
from tests.tiny_flux2_klein import save_tiny_flux2_klein

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

REQUEST = GenerationRequest(
    prompt="a red sheep",
    seed=42,
    num_inference_steps=4,
    guidance_scale=4.0,
    width=48,
    height=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_flux2_klein(tmp_path_factory.mktemp("models") / "klein")


@pytest.fixture(scope="module")
def model(folder: Path) -> Flux2KleinModel:
    return load(folder, Flux2KleinModel)


def reference(folder: Path) -> Flux2KleinPipeline:
    return diffusers_pipeline(folder, Flux2KleinPipeline)


def assert_same_bits(
    model: Flux2KleinModel, request: GenerationRequest, pipeline: Flux2KleinPipeline, **inputs: Any
) -> RunFinished:
    assert request.width is not None
    assert request.height is not None
    side = model.spec.size_multiple
    shape = (1, -1, request.height // side, request.width // side)

    def unpack(latents: Tensor) -> Tensor:
        """Return (1, channels, rows, columns) of (1, patches, channels)."""
        return latents.transpose(1, 2).reshape(shape)

    scale = request.guidance_scale
    return assert_same_flow(model, request, pipeline, unpack, guidance_scale=scale, **inputs)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("steps", [1, 4, 9])
def test_guidance_and_steps(
    folder: Path, model: Flux2KleinModel, guidance: float, steps: int
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, num_inference_steps=steps)
    finished = assert_same_bits(model, request, reference(folder))
    assert finished.request.scheduler == "euler"


@pytest.mark.parametrize("size", [(32, 32), (32, 64), (80, 48)])
def test_sizes(folder: Path, model: Flux2KleinModel, size: tuple[int, int]) -> None:
    width, height = size
    assert_same_bits(model, replace(REQUEST, width=width, height=height), reference(folder))


def test_a_negative_prompt(folder: Path, model: Flux2KleinModel) -> None:
    pipeline = reference(folder)
    embeds, _ = pipeline.encode_prompt("mud and rain")
    request = replace(REQUEST, negative_prompt="mud and rain")
    with_mud = assert_same_bits(model, request, pipeline, negative_prompt_embeds=embeds)
    without = assert_same_bits(model, REQUEST, pipeline)
    assert with_mud.record.latents_sha256 != without.record.latents_sha256


def test_the_distilled_model_knows_no_guidance(tmp_path: Path) -> None:
    folder = save_tiny_flux2_klein(tmp_path / "klein", is_distilled=True)
    model = load(folder, Flux2KleinModel)
    assert model.info.guidance == "none"
    defaults = model.spec.defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (4, 1.0)
    guided = assert_same_bits(model, REQUEST, reference(folder))
    plain = assert_same_bits(model, replace(REQUEST, guidance_scale=1.0), reference(folder))
    assert guided.record.latents_sha256 == plain.record.latents_sha256
    request = replace(REQUEST, negative_prompt="mud", model=str(folder))
    warnings = outside_warnings(
        [model.spec.resolve(request)], {request.model_reference: model.spec}
    )
    assert [warning.partition(" has no effect")[0] for warning in warnings] == [
        "Warning: guidance",
        "Warning: negative prompt",
    ]


def test_the_base_model_takes_fifty_steps(model: Flux2KleinModel) -> None:
    defaults = model.spec.defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (50, 4.0)
    assert (defaults.width, defaults.height, model.spec.size_multiple) == (1024, 1024, 4)


def test_a_picture_is_encoded_as_diffusers_does(
    folder: Path, model: Flux2KleinModel, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)).save(tmp_path / "it.png")
    pixels = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    theirs = reference(folder)._encode_vae_image(pixels, torch.Generator())
    ours = model.encode_image(pixels, torch.Generator())
    assert torch.equal(ours, theirs)
    request = replace(REQUEST, image=str(tmp_path / "it.png"), strength=0.5)
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    generator = torch.Generator().manual_seed(42)
    noise = model.draw_noise(48, 32, generator)
    assert finished.record.noise_sha256 == tensor_sha256(noise)  # encoding drew nothing


def test_what_the_vae_encodes_it_decodes(model: Flux2KleinModel) -> None:
    latents = torch.randn(1, 16, 8, 12, generator=torch.Generator().manual_seed(0))
    pixels = model.decode(latents)
    assert pixels.shape == (1, 3, 32, 48)
    mean = model.vae.bn.running_mean.view(1, -1, 1, 1)
    deviation = (model.vae.bn.running_var + model.vae.config.batch_norm_eps).sqrt()
    patches = latents * deviation.view(1, -1, 1, 1) + mean
    unpatched = Flux2KleinPipeline._unpatchify_latents(patches)
    assert torch.equal(pixels, model.vae.decode(unpatched).sample)


def test_what_the_tokens_are(folder: Path, model: Flux2KleinModel) -> None:
    labels = model.token_labels("a sheep")
    assert [label.word for label in labels if label.kind == "word"] == [0, 1, 1]
    conditioning = model.encode([model.spec.resolve(replace(REQUEST, prompt="a sheep"))])
    assert len(labels) == conditioning.prompts.shape[1] == 512
    assert labels[-1].kind == "padding"
    reading = read_prompt(find_model(str(folder)), "a sheep")
    assert reading == model.read_prompt("a sheep")
    assert reading.tokens == len([label for label in labels if label.kind != "padding"])


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 32}, "takes latents of 8 channels, but its VAE's have 4"),
        ("transformer", {"joint_attention_dim": 16}, "text embeddings of width 16, but its text"),
        ("transformer", {"guidance_embeds": True}, "as only FLUX.2 dev has it"),
        ("transformer", {"num_single_layers": 100}, "more than its weights hold"),
        ("text_encoder", {"num_hidden_layers": 26}, "impossible value, 26"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_flux2_klein(tmp_path / "klein")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, Flux2KleinModel)


def test_a_blend_is_the_weighted_sum_of_prompt_embeds(folder: Path, model: Flux2KleinModel) -> None:
    pipeline = reference(folder)
    request = replace(REQUEST, prompt="", blend="a red sheep:1, a sheep:-1, an owl in the snow:0.8")
    (embeds,) = added_up(request, lambda text: pipeline.encode_prompt(text)[:1])
    assert_same_bits(model, request, pipeline, prompt=None, prompt_embeds=embeds)
