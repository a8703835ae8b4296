"""Chroma is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from diffusers import ChromaImg2ImgPipeline, ChromaPipeline
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.pipeline.chroma import ChromaModel
from sheepgen.request import GenerationRequest
from tests.pipeline.loaded import load
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, unpack_for
from tests.tiny import edit_json
from tests.tiny_chroma import save_tiny_chroma

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import RunFinished

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=5.0,
    width=48,
    height=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_chroma(tmp_path_factory.mktemp("models") / "chroma")


@pytest.fixture(scope="module")
def model(folder: Path) -> ChromaModel:
    return load(folder, ChromaModel)


def reference(folder: Path, pipeline_class: type[Any] = ChromaPipeline) -> ChromaPipeline:
    return diffusers_pipeline(folder, pipeline_class)


def assert_same_bits(
    model: ChromaModel, request: GenerationRequest, pipeline: ChromaPipeline, **inputs: Any
) -> RunFinished:
    return assert_same_flow(
        model,
        request,
        pipeline,
        unpack_for(request),
        guidance_scale=request.guidance_scale,
        negative_prompt=request.negative_prompt,
        **inputs,
    )


@pytest.mark.parametrize("guidance", [1.0, 2.5, 5.0])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_guidance_and_negative_prompts(
    folder: Path, model: ChromaModel, guidance: float, negative_prompt: str
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    finished = assert_same_bits(model, request, reference(folder))
    assert finished.request.scheduler == "euler"


@pytest.mark.parametrize("steps", [1, 9])
@pytest.mark.parametrize("size", [(32, 64), (80, 48)])
def test_steps_and_sizes(
    folder: Path, model: ChromaModel, steps: int, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, reference(folder))


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_from_a_picture(folder: Path, model: ChromaModel, tmp_path: Path, strength: float) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    picture.save(tmp_path / "picture.png")
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    pipeline = reference(folder, ChromaImg2ImgPipeline)
    assert_same_bits(model, request, pipeline, image=picture, strength=strength)


def test_one_token_of_the_padding_is_seen(model: ChromaModel) -> None:
    conditioning = model.encode([model.spec.resolve(REQUEST)])
    seen = int(conditioning.prompts.mask.sum())
    tokens = [label for label in model.token_labels(REQUEST.prompt) if label.kind != "padding"]
    assert seen == len(tokens) + 1


def test_defaults(model: ChromaModel) -> None:
    defaults = model.spec.defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (35, 5.0)
    assert (defaults.width, defaults.height, model.spec.size_multiple) == (1024, 1024, 4)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 16}, "takes latents of 4 channels, but its VAE's have 16"),
        ("transformer", {"joint_attention_dim": 8}, "text embeddings of width 8, but its text"),
        ("transformer", {"approximator_layers": 10**6}, "for approximator_layers"),
        ("transformer", {"approximator_layers": 60}, "more than its weights hold"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_chroma(tmp_path / "chroma")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, ChromaModel)
