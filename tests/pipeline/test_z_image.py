"""Z-Image is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import diffusers
import numpy as np
import pytest
import torch
from diffusers import ZImageImg2ImgPipeline, ZImagePipeline
from PIL import Image

from sheepgen.errors import ModelError, UsageError
from sheepgen.events import RunFinished
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.cpu_bf16 import lay_out
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.loading import check_schedule, read_prompt
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream
from sheepgen.pipeline.z_image import ZImageModel
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import FLOW_SCHEDULERS
from tests.pipeline.loaded import load
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline
from tests.tiny import edit_json
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from pathlib import Path


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
    return save_tiny_z_image(tmp_path_factory.mktemp("models") / "z-image")


@pytest.fixture(scope="module")
def model(folder: Path) -> ZImageModel:
    return load(folder, ZImageModel)


def reference(folder: Path, pipeline_class: type[Any] = ZImagePipeline) -> ZImagePipeline:
    return diffusers_pipeline(folder, pipeline_class)


def assert_same_bits(
    model: ZImageModel, request: GenerationRequest, pipeline: ZImagePipeline, **inputs: Any
) -> RunFinished:
    assert request.guidance_scale is not None
    return assert_same_flow(
        model,
        request,
        pipeline,
        negative_prompt=request.negative_prompt or None,
        guidance_scale=request.guidance_scale - 1,  # theirs is off at 0
        **inputs,
    )


@pytest.mark.parametrize("guidance", [1.0, 2.5, 6.0])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_guidance_and_negative_prompts(
    folder: Path, model: ZImageModel, guidance: float, negative_prompt: str
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    finished = assert_same_bits(model, request, reference(folder))
    assert finished.request.scheduler == "euler"


@pytest.mark.parametrize("steps", [1, 2, 9, 30])
@pytest.mark.parametrize("size", [(32, 32), (32, 64), (80, 48)])
def test_steps_and_sizes(
    folder: Path, model: ZImageModel, steps: int, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, reference(folder))


@pytest.mark.parametrize("time_shift_type", ["exponential", "linear"])
def test_a_schedule_that_is_shifted_by_the_size(tmp_path: Path, time_shift_type: str) -> None:
    save_tiny_z_image(
        tmp_path / "z", use_dynamic_shifting=True, time_shift_type=time_shift_type, max_shift=4.0
    )
    model, pipeline = load(tmp_path / "z", ZImageModel), reference(tmp_path / "z")
    for width in (32, 96):
        assert_same_bits(model, replace(REQUEST, width=width), pipeline)


@pytest.mark.parametrize("name", [name for name in FLOW_SCHEDULERS if name != "euler"])
def test_other_schedulers(model: ZImageModel, name: str) -> None:
    """Diffusers' pipeline takes none of them: they have noise levels of their own."""
    form = FLOW_SCHEDULERS[name]
    scheduler_class = getattr(diffusers, form.class_name)
    shift = "shift" if name == "heun" else "flow_shift"
    scheduler = scheduler_class(**{shift: 3.0}, **form.overrides)
    scheduler.set_timesteps(4)
    request = model.spec.resolve(replace(REQUEST, scheduler=name))
    conditioning, guidance = model.encode([request]), Guidance(scale=5.0)
    generator = torch.Generator("cpu").manual_seed(request.seed)
    latents = model.draw_noise(request.width, request.height, generator)
    arguments = {"generator": generator} if name == "dpmpp_2m_sde" else {}
    with torch.inference_mode():
        for timestep in scheduler.timesteps:
            velocity = model.predict(latents, timestep, conditioning, guidance)
            latents = scheduler.step(velocity, timestep, latents, **arguments).prev_sample
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(latents)


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_from_a_picture(folder: Path, model: ZImageModel, tmp_path: Path, strength: float) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    picture.save(tmp_path / "picture.png")
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    pipeline = reference(folder, ZImageImg2ImgPipeline)
    assert_same_bits(model, request, pipeline, image=picture, strength=strength)


def test_latents_stay_float32_at_bfloat16(folder: Path) -> None:
    model = load(folder, ZImageModel, "bf16")
    assert model.info.latents_dtype == torch.float32
    pipeline = ZImagePipeline.from_pretrained(folder, low_cpu_mem_usage=False, dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    lay_out(cast("Any", SimpleNamespace(pipeline=pipeline)))
    assert_same_bits(model, REQUEST, pipeline)


def test_what_the_tokens_are(model: ZImageModel) -> None:
    labels = model.token_labels("a sheep")
    assert [label.word for label in labels if label.kind == "word"] == [0, 1, 1]
    assert [label.text for label in labels if label.word == 1] == ["Ġ", "sheep"]
    assert [label.position for label in labels] == list(range(len(labels)))
    conditioning = model.encode([model.spec.resolve(replace(REQUEST, prompt="a sheep"))])
    assert len(labels) == len(conditioning.prompts[0])
    assert {label.kind for label in model.token_labels("")} == {"special"}


def test_words_after_the_limit_are_named(folder: Path, model: ZImageModel) -> None:
    words = [f"{number:09}" for number in range(60)]  # ten tokens each, with the space
    reading = model.read_prompt(" ".join(words))
    assert reading.limit == 512
    assert reading.truncated == tuple(words[-len(reading.truncated) :])
    kept = model.token_labels(" ".join(words))
    # The first word that is named is the last one of which something is read, or the next.
    assert kept[-1].word in (60 - len(reading.truncated), 59 - len(reading.truncated))
    assert read_prompt(find_model(str(folder)), "a sheep") == model.read_prompt("a sheep")
    assert model.read_prompt("a sheep").truncated == ()


def test_defaults_of_the_distilled_model_and_of_the_other(tmp_path: Path) -> None:
    turbo = find_model(str(save_tiny_z_image(tmp_path / "turbo")))
    base = find_model(str(save_tiny_z_image(tmp_path / "base", shift=6.0)))
    assert (turbo.defaults.num_inference_steps, turbo.defaults.guidance_scale) == (9, 1.0)
    assert (base.defaults.num_inference_steps, base.defaults.guidance_scale) == (50, 5.0)
    assert (base.defaults.width, base.defaults.height, base.size_multiple) == (1024, 1024, 4)
    resolved = turbo.resolve(GenerationRequest(prompt="a sheep", negative_prompt="mud", seed=1))
    assert outside_warnings([resolved], {resolved.model_reference: turbo}) == (
        "Warning: negative prompt has no effect with guidance 1 or less.",
    )


def test_schedulers_of_other_models_are_refused(model: ZImageModel) -> None:
    with pytest.raises(
        UsageError, match="ddim cannot be used with this model, which is a flow model"
    ):
        model.spec.resolve(replace(REQUEST, scheduler="ddim"))


def test_more_steps_than_the_schedule_has(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_z_image(tmp_path / "z", num_train_timesteps=20)))
    for name in FLOW_SCHEDULERS:
        with pytest.raises(UsageError, match=r"21 steps of .* do not fit this model's schedule"):
            check_schedule(
                spec, spec.resolve(replace(REQUEST, scheduler=name, num_inference_steps=21))
            )


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("transformer", {"cap_feat_dim": 24}, "text embeddings of width 24, but its text enc"),
        ("transformer", {"in_channels": 4}, "takes latents of 4 channels, but its VAE's have 16"),
        ("transformer", {"siglip_feat_dim": 8}, "needs pictures in the prompt"),
        ("transformer", {"n_layers": 10**9}, "impossible value, 1000000000, for n_layers"),
        ("transformer", {"n_layers": 100}, "more than its weights hold"),
        ("text_encoder", {"rope_parameters": {"rope_type": "yarn"}}, "for rope_parameters"),
        ("text_encoder", {"rope_parameters": 7}, "for rope_parameters"),
        ("text_encoder", {"use_sliding_window": True}, "sliding attention in the text encoder"),
        ("text_encoder", {"vocab_size": 100}, "cannot be loaded"),
        ("text_encoder", {"num_hidden_layers": 120}, "more than its weights hold"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, file: str, changes: dict[str, Any], message: str
) -> None:
    copy = save_tiny_z_image(tmp_path / "z")
    edit_json(copy / file / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(copy, ZImageModel)
