"""Models that read no prompt are diffusers' pipelines bit for bit at float32, from the seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDPMPipeline, LDMPipeline
from PIL import Image

from sheepgen.errors import ModelError, UsageError
from sheepgen.events import FrameDecoded, RunFinished
from sheepgen.models.components import component_weights
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import generate, stream, stream_batch
from sheepgen.request import GenerationRequest
from tests.pipeline.reference import diffusers_pipeline
from tests.tiny import edit_json
from tests.tiny_unconditional import (
    LATENT_SIDE,
    SIDE,
    flatten,
    save_tiny_ddpm,
    save_tiny_ldm_without_prompts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.family import Model


def asked(folder: Path, **fields: Any) -> GenerationRequest:
    values: dict[str, Any] = {"seed": 5, "num_inference_steps": 4, "model": str(folder)}
    return GenerationRequest(**values | fields)


def assert_same(folder: Path, request: GenerationRequest, images: np.ndarray[Any, Any]) -> None:
    """Assert that an image has the pixels that diffusers made, (1, height, width, channels)."""
    image = generate(load_model(str(folder)), request)
    expected = (images[0] * 255).round().astype("uint8")
    assert np.array_equal(np.asarray(image), np.broadcast_to(expected, (*expected.shape[:2], 3)))


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_ddpm(tmp_path_factory.mktemp("grey"))


@pytest.fixture(scope="module")
def model(grey: Path) -> Model:
    return cast("Model", load_model(str(grey)))


def test_a_folder_of_the_older_form_is_the_same(tmp_path: Path) -> None:
    """As google/ddpm-cat-256 and others of that time are on the Hub."""
    folder = save_tiny_ddpm(tmp_path / "ddpm", channels=3)
    whole = np.asarray(generate(load_model(str(folder)), asked(folder)))
    flatten(folder)
    pipeline = diffusers_pipeline(folder, DDPMPipeline)
    generator = torch.Generator("cpu").manual_seed(5)
    images = pipeline(num_inference_steps=4, generator=generator, output_type="np").images
    assert_same(folder, asked(folder), images)
    assert np.array_equal(np.asarray(generate(load_model(str(folder)), asked(folder))), whole)
    weights = component_weights(find_model(str(folder)).checkpoint)
    assert {each.name: each.files for each in weights} == {
        "scheduler": (),
        "unet": ("diffusion_pytorch_model.safetensors",),
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "schedule",
    [
        {},
        {"clip_sample": False},
        {"clip_sample_range": 0.5, "variance_type": "fixed_large"},
        {"prediction_type": "v_prediction", "thresholding": True},
        {"prediction_type": "sample", "beta_schedule": "squaredcos_cap_v2"},
    ],
    ids=["usual", "unclipped", "narrow", "velocity", "sample"],
)
def test_ddpm_is_diffusers_pipeline(
    tmp_path: Path, channels: int, schedule: dict[str, Any]
) -> None:
    folder = save_tiny_ddpm(tmp_path, channels=channels, **schedule)
    images = diffusers_pipeline(folder, DDPMPipeline)(
        num_inference_steps=4,
        generator=torch.Generator("cpu").manual_seed(5),
        output_type="np",
    ).images
    assert_same(folder, asked(folder), images)


@pytest.mark.parametrize("ddim", [True, False], ids=["its own", "of a DDPM"])
@pytest.mark.parametrize("eta", [0.0, 0.7])
def test_ddim_is_diffusers_pipeline(tmp_path: Path, ddim: bool, eta: float) -> None:
    folder = save_tiny_ddpm(tmp_path, ddim=ddim, channels=3, side=(8, SIDE))
    images = diffusers_pipeline(folder, DDIMPipeline)(
        num_inference_steps=4,
        eta=eta,
        generator=torch.Generator("cpu").manual_seed(5),
        output_type="np",
    ).images
    assert images.shape == (1, 8, SIDE, 3)
    assert_same(folder, asked(folder, scheduler="ddim", eta=eta), images)


def test_latent_diffusion_without_prompts_is_diffusers_pipeline(tmp_path: Path) -> None:
    folder = save_tiny_ldm_without_prompts(tmp_path)
    images = diffusers_pipeline(folder, LDMPipeline)(
        num_inference_steps=4, generator=torch.Generator("cpu").manual_seed(5), output_type="np"
    ).images
    assert images.shape == (1, 2 * LATENT_SIDE, 2 * LATENT_SIDE, 3)
    assert_same(folder, asked(folder), images)


def test_every_step_is_diffusers(model: Model, grey: Path) -> None:
    request = asked(grey)
    pipeline = diffusers_pipeline(grey, DDPMPipeline)
    seen = []
    step = pipeline.scheduler.step

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append(step(*arguments, **named))
        return seen[-1]

    pipeline.scheduler.step = watched
    pipeline(num_inference_steps=4, generator=torch.Generator("cpu").manual_seed(5))
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(seen[-1].prev_sample)
    frames = [
        np.asarray(event.image)
        for event in stream(model, request, FrameOptions())
        if isinstance(event, FrameDecoded)
    ]
    # Clipped as in the scheduler, whose estimate was clipped before.
    for frame, own in zip(frames[1:], seen, strict=True):
        expected = (own.pred_original_sample[0, 0].numpy() * 0.5 + 0.5) * 255
        assert np.abs(frame[..., 0] - expected).max() < 0.51
        assert np.array_equal(frame[..., 0], frame[..., 2])


def test_images_of_a_batch_have_noise_of_their_own(model: Model, grey: Path) -> None:
    requests = [asked(grey, seed=seed) for seed in (5, 6)]
    together = [each for each in stream_batch(model, requests) if isinstance(each, RunFinished)]
    for request, one in zip(requests, together, strict=True):
        alone = np.asarray(generate(model, request)).astype(int)
        assert np.abs(np.asarray(one.image) - alone).max() <= 1


@pytest.mark.parametrize(
    ("changes", "steps"),
    [({}, 1000), ({"ddim": True}, 50), ({"num_train_timesteps": 200}, 200)],
)
def test_defaults_are_those_of_the_pipeline(
    tmp_path: Path, changes: dict[str, Any], steps: int
) -> None:
    spec = find_model(str(save_tiny_ddpm(tmp_path, **changes)))
    assert spec.defaults.num_inference_steps == steps
    assert (spec.defaults.width, spec.defaults.height) == (SIDE, SIDE)
    assert spec.size_multiple == 2
    assert spec.defaults.guidance_scale == 1.0


def test_a_picture_is_continued_in_grey(model: Model, grey: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (SIDE, SIDE), (250, 10, 10))
    picture.save(tmp_path / "red.png")
    kept = asked(grey, image=str(tmp_path / "red.png"), strength=0.3)
    image = np.asarray(generate(model, kept))
    assert np.array_equal(image[..., 0], image[..., 1])
    assert abs(image.mean() - 90) < 40


def test_what_has_no_effect_is_said(grey: Path) -> None:
    spec = find_model(str(grey))
    request = spec.resolve(asked(grey, prompt="a three", negative_prompt="a two", guidance_scale=4))
    said = outside_warnings([request], {request.model_reference: spec})
    assert [warning.split(" has no effect")[0] for warning in said] == [
        "Warning: prompt",
        "Warning: guidance",
        "Warning: negative prompt",
    ]
    assert said[0].endswith("; it reads none.")
    assert said[1].endswith("; it reads no prompt.")
    plain = spec.resolve(asked(grey))
    assert outside_warnings([plain], {plain.model_reference: spec}) == ()


def test_models_that_read_a_prompt_refuse_to_do_without() -> None:
    with pytest.raises(UsageError, match="The prompt is empty"):
        find_model("sheepgen").resolve(GenerationRequest(seed=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_class_embeds": 10}, "needs class labels in the U-Net"),
        ({"time_embedding_type": "fourier"}, "needs noise levels instead of timesteps"),
        ({"out_channels": 2}, "has 1 input and 2 output channels"),
        ({"in_channels": 4, "out_channels": 4}, "has 4 input and 4 output channels"),
        ({"sample_size": None}, "does not set sample_size"),
        ({"sample_size": [8, 8, 8]}, "impossible value"),
        ({"block_out_channels": 8}, "impossible value"),
        ({"layers_per_block": 10_000}, "impossible value"),
    ],
)
def test_hostile_configs_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = save_tiny_ddpm(tmp_path)
    edit_json(folder / "unet" / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        find_model(str(folder))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_channels": 4}, "its latents have 4"),
        ({"num_vq_embeddings": 10**9}, "impossible value"),
        ({"vq_embed_dim": 10**6}, "impossible value"),
        ({"out_channels": 1}, "impossible value"),
    ],
)
def test_hostile_codebooks_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_ldm_without_prompts(tmp_path)
    edit_json(folder / "vqvae" / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        find_model(str(folder))


def test_more_codebook_than_is_stored_is_not_built(tmp_path: Path) -> None:
    folder = save_tiny_ldm_without_prompts(tmp_path)
    edit_json(folder / "vqvae" / "config.json", num_vq_embeddings=1_000_000)
    with pytest.raises(ModelError, match="asks for more than its weights hold"):
        load_model(str(folder))


def test_a_larger_image_is_a_multiple_of_what_the_blocks_halve(grey: Path, model: Model) -> None:
    with pytest.raises(UsageError, match="width must be a multiple of 2"):
        find_model(str(grey)).resolve(asked(grey, width=15))
    image = generate(model, replace(asked(grey), width=20, height=8))
    assert image.size == (20, 8)
