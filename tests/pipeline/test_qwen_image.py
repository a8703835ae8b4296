"""Qwen-Image is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import QwenImageImg2ImgPipeline, QwenImagePipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from sheepgen.errors import ModelError, UsageError
from sheepgen.pipeline.loading import check_schedule
from sheepgen.pipeline.qwen_image import QwenImageModel
from sheepgen.request import GenerationRequest
from tests.pipeline.loaded import load
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, unpack_for
from tests.tiny import edit_json
from tests.tiny_qwen_image import save_tiny_qwen_image

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import RunFinished

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=4.0,
    width=48,
    height=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_qwen_image(tmp_path_factory.mktemp("models") / "qwen-image")


@pytest.fixture(scope="module")
def model(folder: Path) -> QwenImageModel:
    return load(folder, QwenImageModel)


def reference(folder: Path, pipeline_class: type[Any] = QwenImagePipeline) -> QwenImagePipeline:
    return diffusers_pipeline(folder, pipeline_class)


def assert_same_bits(
    model: QwenImageModel, request: GenerationRequest, pipeline: QwenImagePipeline, **inputs: Any
) -> RunFinished:
    return assert_same_flow(
        model,
        request,
        pipeline,
        unpack_for(request),
        true_cfg_scale=request.guidance_scale,
        negative_prompt=request.negative_prompt or " ",
        **inputs,
    )


@pytest.mark.parametrize("guidance", [1.0, 2.5, 4.0])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_guidance_and_negative_prompts(
    folder: Path, model: QwenImageModel, guidance: float, negative_prompt: str
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    finished = assert_same_bits(model, request, reference(folder))
    assert finished.request.scheduler == "euler"


def test_one_step_is_too_few_for_its_schedule(model: QwenImageModel) -> None:
    request = model.spec.resolve(replace(REQUEST, num_inference_steps=1))
    with pytest.raises(UsageError, match="1 step does not fit this model's schedule"):
        check_schedule(model.spec, request)
    check_schedule(model.spec, replace(request, scheduler="unipc"))


@pytest.mark.parametrize("steps", [2, 9])
@pytest.mark.parametrize("size", [(32, 32), (32, 64), (80, 48)])
def test_steps_and_sizes(
    folder: Path, model: QwenImageModel, steps: int, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, reference(folder))


def test_a_long_prompt_is_cut_where_diffusers_cuts_it(folder: Path, model: QwenImageModel) -> None:
    words = " ".join(["sheep"] * 400)
    with torch.no_grad():  # with gradients, attention is computed another way
        embeds, _ = reference(folder).encode_prompt(words, max_sequence_length=512)
    (request,) = [model.spec.resolve(replace(REQUEST, prompt=words))]
    states = model.encode([request]).prompts.states
    assert states.shape == embeds.shape == (1, 512, 16)
    assert np.array_equal(states, embeds)


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_from_a_picture(
    folder: Path, model: QwenImageModel, tmp_path: Path, strength: float
) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    picture.save(tmp_path / "picture.png")
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    pipeline = reference(folder, QwenImageImg2ImgPipeline)
    assert_same_bits(model, request, pipeline, image=picture, strength=strength)


@pytest.mark.parametrize("prefix", ["model.", "language_model.model."])
def test_a_text_encoder_with_the_names_of_earlier_versions(
    folder: Path, tmp_path: Path, prefix: str
) -> None:
    copy = save_tiny_qwen_image(tmp_path / "qwen-image")
    file = copy / "text_encoder" / "model.safetensors"
    weights = {
        name.replace("model.language_model.", prefix).replace("model.visual.", "visual."): weight
        for name, weight in load_file(file).items()
    }
    assert any(name.startswith("visual.") for name in weights)
    save_file(weights, file, {"format": "pt"})
    requests = [load(folder, QwenImageModel).spec.resolve(REQUEST)]
    ours, theirs = (
        load(copy, QwenImageModel).encode(requests),
        load(folder, QwenImageModel).encode(requests),
    )
    assert np.array_equal(ours.prompts.states, theirs.prompts.states)


def test_defaults(model: QwenImageModel) -> None:
    defaults = model.spec.defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (50, 4.0)
    assert (defaults.width, defaults.height, model.spec.size_multiple) == (1328, 1328, 4)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 32}, "takes latents of 8 channels, but its VAE's have 4"),
        ("transformer", {"joint_attention_dim": 8}, "text embeddings of width 8, but its text"),
        ("transformer", {"zero_cond_t": True}, "needs pictures in the prompt"),
        ("transformer", {"num_layers": 100}, "more than its weights hold"),
        ("vae", {"latents_mean": [0.0]}, "for latents_mean"),
        ("vae", {"latents_std": [1.0, 1.0, "x", 1.0]}, "for latents_std"),
        ("vae", {"temperal_downsample": []}, "for temperal_downsample"),
        ("vae", {"z_dim": 10**9}, "for z_dim"),
        ("text_encoder", {"text_config": {}}, "does not set hidden_size"),
        ("text_encoder", {"text_config": {"hidden_size": 10**9}}, "does not set|for hidden_size"),
        ("text_encoder", {"rope_scaling": {"type": "yarn"}}, "for rope_scaling"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_qwen_image(tmp_path / "qwen-image")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, QwenImageModel)
