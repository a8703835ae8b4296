"""Stable Diffusion 3 is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from diffusers import StableDiffusion3Img2ImgPipeline, StableDiffusion3Pipeline
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.pipeline.stable_diffusion_3 import StableDiffusion3Model
from sheepgen.request import GenerationRequest
from tests.pipeline.loaded import load
from tests.pipeline.reference import (
    added_up,
    assert_same_flow,
    diffusers_pipeline,
    with_aligned_texts,
)
from tests.tiny import edit_json
from tests.tiny_sd3 import save_tiny_sd3

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import RunFinished

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=5.0,
    width=32,
    height=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_sd3(tmp_path_factory.mktemp("models") / "sd3")


@pytest.fixture(scope="module")
def model(folder: Path) -> StableDiffusion3Model:
    return load(folder, StableDiffusion3Model)


def reference(
    folder: Path, pipeline_class: type[Any] = StableDiffusion3Pipeline
) -> StableDiffusion3Pipeline:
    return with_aligned_texts(diffusers_pipeline(folder, pipeline_class))


def assert_same_bits(
    model: StableDiffusion3Model,
    request: GenerationRequest,
    pipeline: StableDiffusion3Pipeline,
    **inputs: Any,
) -> RunFinished:
    return assert_same_flow(
        model,
        request,
        pipeline,
        negative_prompt=request.negative_prompt,
        guidance_scale=request.guidance_scale,
        **inputs,
    )


@pytest.mark.parametrize("guidance", [1.0, 2.5, 7.0])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_guidance_and_negative_prompts(
    folder: Path, model: StableDiffusion3Model, guidance: float, negative_prompt: str
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    finished = assert_same_bits(model, request, reference(folder))
    assert finished.request.scheduler == "euler"


@pytest.mark.parametrize("steps", [1, 9, 28])
@pytest.mark.parametrize("size", [(32, 40), (48, 24)])
def test_steps_and_sizes(
    folder: Path, model: StableDiffusion3Model, steps: int, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, reference(folder))


def test_a_schedule_that_is_shifted_by_the_size(tmp_path: Path) -> None:
    save_tiny_sd3(tmp_path / "sd3", use_dynamic_shifting=True)
    model, pipeline = load(tmp_path / "sd3", StableDiffusion3Model), reference(tmp_path / "sd3")
    for width in (32, 48):
        assert_same_bits(model, replace(REQUEST, width=width), pipeline)


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_from_a_picture(
    folder: Path, model: StableDiffusion3Model, tmp_path: Path, strength: float
) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    picture.save(tmp_path / "picture.png")
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    pipeline = reference(folder, StableDiffusion3Img2ImgPipeline)
    assert_same_bits(model, request, pipeline, image=picture, strength=strength)


def test_defaults(model: StableDiffusion3Model) -> None:
    defaults = model.spec.defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (28, 7.0)
    assert (defaults.width, defaults.height, model.spec.size_multiple) == (32, 32, 4)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 4}, "takes latents of 4 channels, but its VAE's have 16"),
        ("transformer", {"joint_attention_dim": 8}, "text embeddings of width 8, but its text"),
        ("transformer", {"pooled_projection_dim": 8}, "of width 8, but its text encoder gives 14"),
        ("text_encoder_2", {"hidden_size": 20}, "impossible value, 24, for joint_attention_dim"),
        ("text_encoder_3", {"num_layers": 100}, "more than its weights hold"),
        ("transformer", {"patch_size": [2, 2]}, "impossible value, .2, 2., for patch_size"),
        ("transformer", {"num_layers": 100}, "more than its weights hold"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_sd3(tmp_path / "sd3")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, StableDiffusion3Model)


def test_a_blend_adds_up_states_and_pooled_texts(
    folder: Path, model: StableDiffusion3Model
) -> None:
    pipeline = reference(folder)
    request = replace(REQUEST, prompt="", blend="a red sheep:1, a sheep:-1, an owl in the snow:0.8")
    embeds, pooled = added_up(request, lambda text: pipeline.encode_prompt(text, None, None)[::2])
    assert_same_bits(
        model, request, pipeline, prompt=None, prompt_embeds=embeds, pooled_prompt_embeds=pooled
    )
