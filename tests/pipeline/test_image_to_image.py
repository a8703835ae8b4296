"""From a picture, one seed is the image that diffusers' pipeline makes of it, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from sheepgen.events import RunFinished
from sheepgen.pipeline.frames import decode_pixels, to_pil
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.reference import reference_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

SEED, STEPS = 42, 6

SCHEDULERS = ("ddim", "euler", "dpmpp_2m", "lcm", "euler_a", "heun", "pndm")
"""Some add noise at each step, some take two timesteps for one step."""


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    photograph(32, 32).save(path)
    return path


def request_of(picture: Path, **fields: Any) -> GenerationRequest:
    wanted = {"prompt": "a red sheep", "seed": SEED, "num_inference_steps": STEPS}
    return GenerationRequest(image=str(picture), **{**wanted, **fields})


def finished(model: StableDiffusionModel, request: GenerationRequest) -> RunFinished:
    *_, last = stream(model, request)
    assert isinstance(last, RunFinished)
    return last


@pytest.mark.parametrize(
    ("strength", "guidance_scale"), [(0.3, 4.0), (0.8, 4.0), (0.8, 1.0), (1.0, 4.0)]
)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_image_is_diffusers(
    tiny_parts: StableDiffusionModel,
    picture: Path,
    scheduler: str,
    strength: float,
    guidance_scale: float,
) -> None:
    pipeline = StableDiffusionImg2ImgPipeline(
        **reference_pipeline(tiny_parts, scheduler).components
    )
    pipeline.set_progress_bar_config(disable=True)
    with Image.open(picture) as opened:
        latents = pipeline(
            "a red sheep",
            image=opened,
            strength=strength,
            num_inference_steps=STEPS,
            guidance_scale=guidance_scale,
            generator=torch.Generator("cpu").manual_seed(SEED),
            output_type="latent",
        ).images
    request = request_of(
        picture, strength=strength, scheduler=scheduler, guidance_scale=guidance_scale
    )
    ours = finished(tiny_parts, request)
    assert ours.record.latents_sha256 == tensor_sha256(latents)
    pixels = decode_pixels(tiny_parts, latents)
    assert np.array_equal(np.asarray(ours.image), np.asarray(to_pil(pixels)[0]))
