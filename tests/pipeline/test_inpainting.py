"""What a mask repaints is what diffusers' pipeline paints there, and the rest is the picture's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from sheepgen.errors import UsageError
from sheepgen.events import RunFinished
from sheepgen.pipeline.frames import decode_pixels, to_pil
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.reference import reference_pipeline
from tests.tiny import save_tiny_inpainting_model

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

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


@pytest.fixture(scope="module")
def inpainting_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_inpainting_model(tmp_path_factory.mktemp("models") / "inpainting")


@pytest.fixture(scope="module")
def inpainting_model(inpainting_folder: Path) -> StableDiffusionModel:
    """Return a model whose U-Net takes a mask and the picture without what is repainted."""
    model = load_model(str(inpainting_folder), device="cpu", dtype="fp32")
    assert isinstance(model, StableDiffusionModel)
    assert model.info.sees_mask
    return model


@pytest.mark.parametrize(
    ("strength", "guidance_scale"), [(0.3, 4.0), (0.8, 1.0), (1.0, 4.0), (1.0, 1.0)]
)
@pytest.mark.parametrize("scheduler", ["ddim", "dpmpp_2m", "euler_a", "heun"])
def test_a_model_for_inpainting(
    inpainting_model: StableDiffusionModel,
    pictures: tuple[Path, Path],
    scheduler: str,
    strength: float,
    guidance_scale: float,
) -> None:
    check(inpainting_model, pictures, scheduler, strength, guidance_scale)


def test_images_of_a_batch_are_repainted_alike(
    inpainting_model: StableDiffusionModel, pictures: tuple[Path, Path]
) -> None:
    requests = [
        GenerationRequest(
            prompt="a red sheep",
            seed=seed,
            num_inference_steps=2,
            image=str(pictures[0]),
            mask=str(pictures[1]),
        )
        for seed in (1, 2)
    ]
    together = [
        event
        for event in stream_batch(inpainting_model, requests)
        if isinstance(event, RunFinished)
    ]
    for request, one in zip(requests, together, strict=True):
        *_, alone = stream(inpainting_model, request)
        assert isinstance(alone, RunFinished)
        assert alone.record.noise_sha256 == one.record.noise_sha256
        levels = (np.asarray(each.image).astype(int) for each in (alone, one))
        assert np.abs(np.subtract(*levels)).max() <= 2


@pytest.mark.parametrize("given", [{}, {"image": "photo"}])
def test_a_model_for_inpainting_does_nothing_else(
    inpainting_model: StableDiffusionModel,
    pictures: tuple[Path, Path],
    given: dict[str, str],
) -> None:
    fields: dict[str, Any] = {name: str(pictures[0]) for name in given}
    with pytest.raises(UsageError, match="is an inpainting model") as error:
        next(stream(inpainting_model, GenerationRequest(prompt="x", seed=1, **fields)))
    assert error.value.hint.endswith("with --image and the mask with --mask.")
