"""``--seed 42`` is diffusers with ``manual_seed(42)``, bit for bit, whatever the scheduler."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import (
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel

from sheepgen.events import FrameDecoded, RunFinished
from sheepgen.options import FrameOptions
from sheepgen.pipeline.frames import decode_pixels
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import PREDICTION_TYPES, SCHEDULERS
from tests.pipeline.reference import added_up, reference_pipeline, run_reference

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=4.0,
    eta=0.5,
)


def assert_same_bits(
    parts: StableDiffusionModel,
    request: GenerationRequest,
    pipeline: StableDiffusionPipeline,
    **inputs: Any,
) -> None:
    request = parts.spec.resolve(request)
    latents, pixels = run_reference(pipeline, request, **inputs)
    *_, finished = stream(parts, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(latents)
    ours = decode_pixels(parts, latents)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(ours, pixels)
    assert np.array_equal(np.asarray(finished.image), (pixels * 255).round().astype("uint8"))


@pytest.mark.parametrize(
    ("name", "prediction_type"),
    [
        (name, prediction_type)
        for name, spec in SCHEDULERS.items()
        for prediction_type in PREDICTION_TYPES
        # diffusers itself cannot do the rest.
        if spec.takes_sample or prediction_type != "sample"
    ],
)
def test_every_scheduler(tiny_parts: StableDiffusionModel, name: str, prediction_type: str) -> None:
    config = {**tiny_parts.scheduler_config, "prediction_type": prediction_type}
    # Half of what is usual: KDPM2 takes a second to be built for 1000.
    config["num_train_timesteps"] = 500
    config["_use_default_values"] = []
    parts = replace(tiny_parts, scheduler_config=config)
    pipeline = reference_pipeline(parts, name)
    assert_same_bits(parts, replace(REQUEST, scheduler=name), pipeline)


@pytest.mark.parametrize(("scale", "rescale"), [(4.0, 0.7), (1.0, 0.0)])
@pytest.mark.parametrize("name", ["ddim", "dpmpp_2m_sde", "heun", "unipc"])
def test_rescaled_guidance_and_none(
    tiny_parts: StableDiffusionModel, name: str, scale: float, rescale: float
) -> None:
    request = replace(REQUEST, scheduler=name, guidance_scale=scale, guidance_rescale=rescale)
    assert_same_bits(tiny_parts, request, reference_pipeline(tiny_parts, name))


@pytest.mark.parametrize("spacing", ["linspace", "trailing"])
@pytest.mark.parametrize("name", ["ddim", "euler", "dpmpp_2m", "heun"])
def test_other_spacings(tiny_parts: StableDiffusionModel, name: str, spacing: str) -> None:
    config = {**tiny_parts.scheduler_config, "timestep_spacing": spacing}
    config["_use_default_values"] = []
    parts = replace(tiny_parts, scheduler_config=config)
    assert_same_bits(parts, replace(REQUEST, scheduler=name), reference_pipeline(parts, name))


@pytest.mark.parametrize(
    "name",
    [*("ddim", "ddpm", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "lcm", "tcd")],
)
def test_a_model_that_was_trained_to_a_signal_of_zero(
    tiny_parts: StableDiffusionModel, name: str
) -> None:
    config = {
        **tiny_parts.scheduler_config,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
        "_use_default_values": [],
    }
    parts = replace(tiny_parts, scheduler_config=config)
    request = replace(REQUEST, scheduler=name, guidance_rescale=0.7)
    assert_same_bits(parts, request, reference_pipeline(parts, name))
    built = parts.build_scheduler(parts.spec.resolve(request))
    assert built.timesteps[0] == 999
    assert built.alphas_cumprod[-1] < 1e-7
    frames = list(stream(parts, request, FrameOptions(noisy=True)))
    assert sum(isinstance(event, FrameDecoded) for event in frames) == 2 * (4 + 1)


def test_a_folder_loaded_by_diffusers_itself(
    tiny_folder: Path, tiny_parts: StableDiffusionModel
) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    assert_same_bits(tiny_parts, replace(REQUEST, seed=2**64 - 1), pipeline)


def test_an_oblong_image(tiny_parts: StableDiffusionModel) -> None:
    request = replace(REQUEST, width=48, height=24, scheduler="euler_a")
    assert_same_bits(tiny_parts, request, reference_pipeline(tiny_parts, "euler_a"))


def test_a_model_that_reads_the_guidance_scale(tiny_parts: StableDiffusionModel) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = UNet2DConditionModel.from_config(tiny_parts.unet.config, time_cond_proj_dim=8)
    parts = replace(tiny_parts, unet=unet.eval())
    request = replace(REQUEST, scheduler="lcm", guidance_scale=8.0)
    assert_same_bits(parts, request, reference_pipeline(parts, "lcm"))


@pytest.fixture(scope="module")
def consistency_folder(
    tiny_parts: StableDiffusionModel, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the folder of a tiny Latent Consistency model, with a U-Net that reads the scale."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = UNet2DConditionModel.from_config(tiny_parts.unet.config, time_cond_proj_dim=8)
    folder = tmp_path_factory.mktemp("consistency") / "model"
    LatentConsistencyModelPipeline(
        vae=tiny_parts.vae,
        text_encoder=tiny_parts.text_encoder,
        tokenizer=tiny_parts.tokenizer,
        unet=unet.eval(),
        scheduler=LCMScheduler.from_config(dict(tiny_parts.scheduler_config)),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("guidance_scale", [1.0, 8.5])
def test_a_latent_consistency_model(consistency_folder: Path, guidance_scale: float) -> None:
    pipeline = LatentConsistencyModelPipeline.from_pretrained(
        consistency_folder, low_cpu_mem_usage=False
    )
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(REQUEST.seed)
    settings: dict[str, Any] = {"num_inference_steps": 4, "guidance_scale": guidance_scale}
    # The noise is the first that is taken from the generator; the scheduler goes on with it.
    latents = torch.randn(1, 4, 16, 16, generator=generator)
    theirs = [
        pipeline(
            REQUEST.prompt,
            latents=latents,
            generator=torch.Generator("cpu").set_state(generator.get_state()),
            output_type=output_type,
            **settings,
        ).images
        for output_type in ("latent", "np")
    ]

    model = load_model(str(consistency_folder), device="cpu", dtype="fp32")
    assert model.info.guidance == "embedded"
    request = GenerationRequest(prompt=REQUEST.prompt, seed=REQUEST.seed, **settings)
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.request.scheduler == "lcm"
    assert finished.record.noise_sha256 == tensor_sha256(latents)
    assert finished.record.latents_sha256 == tensor_sha256(theirs[0])
    assert np.array_equal(np.asarray(finished.image), (theirs[1][0] * 255).round().astype("uint8"))


def test_the_scale_is_what_a_latent_consistency_model_reads(consistency_folder: Path) -> None:
    model = load_model(str(consistency_folder), device="cpu", dtype="fp32")
    hashes = set()
    for scale in (1.0, 4.0, 8.5):
        *_, finished = stream(model, replace(REQUEST, guidance_scale=scale, eta=0.0))
        assert isinstance(finished, RunFinished)
        hashes.add(finished.record.latents_sha256)
    assert len(hashes) == 3


def test_a_text_encoder_that_attends_to_no_padding(tiny_parts: StableDiffusionModel) -> None:
    config = CLIPTextConfig(
        **{**tiny_parts.text_encoder.config.to_dict(), "use_attention_mask": True}
    )
    text_encoder = CLIPTextModel(config).eval()
    text_encoder.load_state_dict(tiny_parts.text_encoder.state_dict())
    parts = replace(tiny_parts, text_encoder=text_encoder)
    assert_same_bits(parts, REQUEST, reference_pipeline(parts, "ddim"))
    first, second = (model.encode([model.spec.resolve(REQUEST)]) for model in (parts, tiny_parts))
    assert not torch.equal(first.hidden_states, second.hidden_states)


def test_a_blend_is_the_weighted_sum_of_prompt_embeds(tiny_parts: StableDiffusionModel) -> None:
    pipeline = reference_pipeline(tiny_parts, "ddim")
    request = replace(REQUEST, prompt="", blend="a red sheep:1, a sheep:-1, an owl in the snow:0.8")
    (embeds,) = added_up(request, lambda text: pipeline.encode_prompt(text, "cpu", 1, False)[:1])
    assert_same_bits(tiny_parts, request, pipeline, prompt=None, prompt_embeds=embeds)
