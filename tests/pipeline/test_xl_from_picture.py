"""Stable Diffusion XL starts from pictures, and repaints them, as diffusers' pipelines do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLInpaintPipeline
from PIL import Image

from sheepgen.events import RunFinished
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.test_stable_diffusion_xl import reference
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from pathlib import Path

SEED, STEPS, SIDE = 42, 5, 32


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return an ordinary model and one for inpainting."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "ordinary": save_tiny_xl(folder / "xl"),
        "inpainting": save_tiny_xl(folder / "inpainting", unet={"in_channels": 9}),
    }


@pytest.fixture
def photo(tmp_path: Path) -> None:
    """Write a picture, and beside it a mask."""
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (7, 9, SIDE, 25))
    mask.save(tmp_path / "mask.png")
    photograph(SIDE, SIDE).save(tmp_path / "photo.png")


def check(folder: Path, pipeline_class: Any, scheduler: str, **inputs: Any) -> None:
    """Compare final latents; ``inputs`` are the pipeline's, with paths in place of pictures."""
    pipeline = pipeline_class.from_pipe(reference(folder, scheduler))
    pipeline.set_progress_bar_config(disable=True)
    paths = {name: path for name, path in inputs.items() if name.endswith("image")}
    opened: dict[str, Any] = {name: Image.open(path) for name, path in paths.items()}
    shared: dict[str, Any] = {"guidance_scale": 4.0, "num_inference_steps": STEPS}
    if "mask_image" in inputs:
        opened |= {"height": SIDE, "width": SIDE}
    latents = pipeline(
        "a red sheep",
        generator=torch.Generator("cpu").manual_seed(SEED),
        output_type="latent",
        **{**shared, **inputs, **opened},
    ).images
    names = {"image": "image", "mask_image": "mask", "strength": "strength"}
    fields: dict[str, Any] = {names[name]: value for name, value in inputs.items()}
    request = GenerationRequest(
        prompt="a red sheep", seed=SEED, scheduler=scheduler, **shared, **fields
    )
    *_, finished = stream(load_model(str(folder), device="cpu", dtype="fp32"), request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(latents)


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("strength", [0.4, 1.0])
@pytest.mark.parametrize("scheduler", ["ddim", "euler", "euler_a"])
def test_image_to_image(
    folders: dict[str, Path], tmp_path: Path, scheduler: str, strength: float
) -> None:
    pipeline_class = StableDiffusionXLImg2ImgPipeline
    picture = tmp_path / "photo.png"
    check(folders["ordinary"], pipeline_class, scheduler, image=picture, strength=strength)


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("strength", [0.4, 1.0])
@pytest.mark.parametrize("scheduler", ["ddim", "euler", "euler_a"])
@pytest.mark.parametrize("kind", ["ordinary", "inpainting"])
def test_inpainting(
    folders: dict[str, Path], tmp_path: Path, kind: str, scheduler: str, strength: float
) -> None:
    check(
        folders[kind],
        StableDiffusionXLInpaintPipeline,
        scheduler,
        image=tmp_path / "photo.png",
        mask_image=tmp_path / "mask.png",
        strength=strength,
    )
