"""The loop begins in the middle, and keeps part of an image, as diffusers' pipelines do."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline

from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.inpainting import Inpainting
from sheepgen.request import GenerationRequest
from tests.pipeline.reference import reference_pipeline

if TYPE_CHECKING:
    from torch import Tensor

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

STEPS, SEED = 6, 42
PIXELS = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
"""0 to 1."""

SCHEDULERS = ("ddim", "euler", "dpmpp_2m")


def theirs(
    pipeline_class: Any, model: StableDiffusionModel, scheduler: str, **inputs: Any
) -> Tensor:
    pipeline = pipeline_class(**reference_pipeline(model, scheduler).components)
    pipeline.set_progress_bar_config(disable=True)
    latents: Tensor = pipeline(
        "a red sheep",
        image=PIXELS,
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(SEED),
        output_type="latent",
        **inputs,
    ).images
    return latents


def ours(
    model: StableDiffusionModel, scheduler: str, first_step: int, mask: Tensor | None = None
) -> Tensor:
    request = model.spec.resolve(
        GenerationRequest(
            prompt="a red sheep",
            seed=SEED,
            scheduler=scheduler,
            num_inference_steps=STEPS,
            guidance_scale=4.0,
        )
    )
    generator = torch.Generator("cpu").manual_seed(SEED)
    built = model.build_scheduler(request)
    clean = model.encode_image(2 * PIXELS - 1, generator)
    noise = model.draw_noise(32, 32, generator)
    if first_step:
        latents = model.process.add_noise(built, clean, noise, first_step)
    else:
        latents = model.process.initial_latents(built, noise)
    kept = None if mask is None else Inpainting(mask=mask, clean=clean, noise=noise)
    steps = list(
        denoise(
            model,
            built,
            Start(latents=latents, first_step=first_step, inpainting=kept),
            repeat(
                StepSettings(
                    conditioning=model.encode([request]),
                    guidance=Guidance(scale=4.0),
                    arguments={},
                )
            ),
        )
    )
    assert [step.index for step in steps] == list(range(first_step, STEPS))
    return steps[-1].latents


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_image_to_image_is_diffusers(tiny_parts: StableDiffusionModel, scheduler: str) -> None:
    expected = theirs(StableDiffusionImg2ImgPipeline, tiny_parts, scheduler, strength=0.5)
    assert torch.equal(ours(tiny_parts, scheduler, 3), expected)


@pytest.mark.parametrize(("strength", "first_step"), [(0.5, 3), (1.0, 0)])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_inpainting_is_diffusers(
    tiny_parts: StableDiffusionModel, scheduler: str, strength: float, first_step: int
) -> None:
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 6:] = 1
    expected = theirs(
        StableDiffusionInpaintPipeline,
        tiny_parts,
        scheduler,
        strength=strength,
        mask_image=mask.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3),
        height=32,
        width=32,
    )
    latents = ours(tiny_parts, scheduler, first_step, mask)
    assert torch.equal(latents, expected)
    clean = tiny_parts.encode_image(2 * PIXELS - 1, torch.Generator("cpu").manual_seed(SEED))
    assert torch.equal(latents * (1 - mask), clean * (1 - mask))
