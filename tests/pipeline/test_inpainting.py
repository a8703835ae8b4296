"""What a mask repaints is what diffusers' pipeline paints there, and the rest is the picture's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
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

    from torch import Tensor

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

SEED, STEPS = 42, 6

SCHEDULERS = ("ddim", "euler", "dpmpp_2m", "euler_a", "lcm", "heun")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a picture and a mask, whose edge lies between two latents."""
    folder = tmp_path_factory.mktemp("pictures")
    mask = Image.new("L", (32, 32))
    mask.paste(255, (7, 9, 32, 25))
    photograph(32, 32).save(folder / "photo.png")
    mask.save(folder / "mask.png")
    return folder / "photo.png", folder / "mask.png"


def theirs(
    model: StableDiffusionModel,
    pictures: tuple[Path, Path],
    scheduler: str,
    strength: float,
    guidance_scale: float,
) -> Tensor:
    parts = reference_pipeline(model, scheduler).components
    pipeline = StableDiffusionInpaintPipeline(**parts)
    pipeline.set_progress_bar_config(disable=True)
    with Image.open(pictures[0]) as picture, Image.open(pictures[1]) as mask:
        latents: Tensor = pipeline(
            "a red sheep",
            image=picture,
            mask_image=mask,
            height=32,
            width=32,
            strength=strength,
            num_inference_steps=STEPS,
            guidance_scale=guidance_scale,
            generator=torch.Generator("cpu").manual_seed(SEED),
            output_type="latent",
        ).images
    return latents


def check(
    model: StableDiffusionModel,
    pictures: tuple[Path, Path],
    scheduler: str,
    strength: float,
    guidance_scale: float,
) -> None:
    request = GenerationRequest(
        prompt="a red sheep",
        seed=SEED,
        num_inference_steps=STEPS,
        scheduler=scheduler,
        guidance_scale=guidance_scale,
        image=str(pictures[0]),
        mask=str(pictures[1]),
        strength=strength,
    )
    *_, last = stream(model, request)
    assert isinstance(last, RunFinished)
    latents = theirs(model, pictures, scheduler, strength, guidance_scale)
    assert last.record.latents_sha256 == tensor_sha256(latents)
    painted = np.asarray(to_pil(decode_pixels(model, latents))[0])
    with Image.open(pictures[0]) as picture, Image.open(pictures[1]) as mask:
        repainted = np.asarray(mask)[..., None] == 255
        assert np.array_equal(
            np.asarray(last.image), np.where(repainted, painted, np.asarray(picture))
        )


@pytest.mark.parametrize(
    ("strength", "guidance_scale"), [(0.3, 4.0), (0.8, 1.0), (1.0, 4.0), (1.0, 1.0)]
)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_an_ordinary_model(
    tiny_parts: StableDiffusionModel,
    pictures: tuple[Path, Path],
    scheduler: str,
    strength: float,
    guidance_scale: float,
) -> None:
    check(tiny_parts, pictures, scheduler, strength, guidance_scale)
