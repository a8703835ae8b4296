"""FLUX.1 is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import FluxImg2ImgPipeline, FluxPipeline
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.events import RunFinished
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.pipeline.flux1 import Flux1Model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.patches import unpack
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from tests.pipeline.loaded import load
from tests.pipeline.reference import added_up, assert_same_flow, diffusers_pipeline, unpack_for
from tests.tiny import edit_json
from tests.tiny_flux1 import save_tiny_flux1

if TYPE_CHECKING:
    from pathlib import Path


REQUEST = GenerationRequest(
    prompt="a red sheep",
    seed=42,
    num_inference_steps=4,
    guidance_scale=3.5,
    width=48,
    height=32,
)


@pytest.fixture(scope="module", params=[True, False], ids=["dev", "schnell"])
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("models") / "flux"
    return save_tiny_flux1(folder, guidance_embeds=request.param)


@pytest.fixture(scope="module")
def model(folder: Path) -> Flux1Model:
    return load(folder, Flux1Model)


def reference(folder: Path, pipeline_class: type[Any] = FluxPipeline) -> FluxPipeline:
    return diffusers_pipeline(folder, pipeline_class)


def assert_same_bits(
    model: Flux1Model, request: GenerationRequest, pipeline: FluxPipeline, **inputs: Any
) -> RunFinished:
    return assert_same_flow(
        model,
        request,
        pipeline,
        unpack_for(request),
        max_sequence_length=model.spec.max_tokens,
        guidance_scale=request.guidance_scale,
        negative_prompt=request.negative_prompt,
        true_cfg_scale=request.true_cfg,
        **inputs,
    )


@pytest.mark.parametrize("guidance", [1.0, 3.5])
@pytest.mark.parametrize("true_cfg", [1.0, 2.5])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_both_guidances(
    folder: Path, model: Flux1Model, guidance: float, true_cfg: float, negative_prompt: str
) -> None:
    request = replace(
        REQUEST, guidance_scale=guidance, true_cfg=true_cfg, negative_prompt=negative_prompt
    )
    finished = assert_same_bits(model, request, reference(folder))
    assert finished.request.scheduler == "euler"
    assert finished.record.request.true_cfg == true_cfg


@pytest.mark.parametrize("steps", [1, 9])
@pytest.mark.parametrize("size", [(32, 32), (32, 64), (80, 48)])
def test_steps_and_sizes(
    folder: Path, model: Flux1Model, steps: int, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, reference(folder))


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_from_a_picture(folder: Path, model: Flux1Model, tmp_path: Path, strength: float) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    picture.save(tmp_path / "picture.png")
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    pipeline = reference(folder, FluxImg2ImgPipeline)
    assert_same_bits(model, request, pipeline, image=picture, strength=strength)


def test_a_second_pass(folder: Path, model: Flux1Model) -> None:
    generator = torch.Generator("cpu").manual_seed(REQUEST.seed)
    shared: dict[str, Any] = {
        "prompt": REQUEST.prompt,
        "num_inference_steps": REQUEST.num_inference_steps,
        "guidance_scale": REQUEST.guidance_scale,
        "max_sequence_length": model.spec.max_tokens,
        "generator": generator,
    }
    size = {"width": REQUEST.width, "height": REQUEST.height}
    (image,) = reference(folder)(**shared, **size).images
    packed = reference(folder, FluxImg2ImgPipeline)(
        image=image.resize((96, 64), Image.Resampling.LANCZOS),
        width=96,
        height=64,
        strength=0.5,
        output_type="latent",
        **shared,
    ).images
    *_, last = stream(model, replace(REQUEST, hires="2:0.5"))
    assert isinstance(last, RunFinished)
    assert last.record.latents_sha256 == tensor_sha256(unpack(packed, 32, 48))


def test_defaults_and_what_has_no_effect(folder: Path, model: Flux1Model) -> None:
    reads_guidance = model.spec.guidance == "embedded"
    defaults = model.spec.defaults
    expected = (28, 3.5, 512) if reads_guidance else (4, 1.0, 256)
    own = defaults.num_inference_steps, defaults.guidance_scale, model.spec.max_tokens
    assert own == expected
    request = GenerationRequest(prompt="a sheep", negative_prompt="mud", seed=1, model=str(folder))
    specs = {request.model_reference: model.spec}
    (warning,) = outside_warnings([model.spec.resolve(request)], specs)
    assert warning.startswith("Warning: negative prompt has no effect with ")
    assert warning.endswith(" and true cfg 1.")
    twice = model.spec.resolve(replace(request, true_cfg=2.0))
    assert outside_warnings([twice], specs) == ()
    guided = model.spec.resolve(replace(request, negative_prompt="", guidance_scale=5.0))
    assert len(outside_warnings([guided], specs)) == (0 if reads_guidance else 1)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 16}, "takes latents of 4 channels, but its VAE's have 16"),
        ("transformer", {"in_channels": 384}, "impossible value, 384, for in_channels"),
        ("transformer", {"joint_attention_dim": 8}, "text embeddings of width 8, but its text"),
        ("transformer", {"pooled_projection_dim": 16}, "of width 16, but its text encoder gives 8"),
        ("text_encoder_2", {"num_layers": 100}, "more than its weights hold"),
        ("text_encoder_2", {"d_ff": 10**9}, "impossible value, 1000000000, for d_ff"),
        ("text_encoder_2", {"vocab_size": 9}, "cannot be loaded"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_flux1(tmp_path / "flux")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, Flux1Model)


def test_a_blend_adds_up_states_and_pooled_texts(folder: Path, model: Flux1Model) -> None:
    pipeline = reference(folder)
    request = replace(REQUEST, prompt="", blend="a red sheep:1, a sheep:-1, an owl in the snow:0.8")
    longest = model.spec.max_tokens
    embeds, pooled = added_up(
        request,
        lambda text: pipeline.encode_prompt(text, None, max_sequence_length=longest)[:2],
    )
    assert_same_bits(
        model, request, pipeline, prompt=None, prompt_embeds=embeds, pooled_prompt_embeds=pooled
    )
