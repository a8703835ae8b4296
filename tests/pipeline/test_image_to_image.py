"""From a picture, one seed is the image that diffusers' pipeline makes of it, bit for bit."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

from sheepgen.events import FrameDecoded, RunFinished, RunStarted, StepCompleted
from sheepgen.options import FrameOptions
from sheepgen.pipeline.frames import decode_pixels, to_pil
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream
from sheepgen.pipeline.start import to_tensor
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.loaded import finished
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


def test_events_count_the_steps_that_are_taken(
    tiny_parts: StableDiffusionModel, picture: Path
) -> None:
    for scheduler, timesteps in (("ddim", 3), ("heun", 5)):
        events = list(stream(tiny_parts, request_of(picture, strength=0.5, scheduler=scheduler)))
        assert isinstance(events[0], RunStarted)
        assert events[0].total_steps == timesteps
        steps = [event for event in events if isinstance(event, StepCompleted)]
        assert [step.step for step in steps] == list(range(1, timesteps + 1))
        assert {step.total_steps for step in steps} == {timesteps}


def test_a_variation_starts_from_the_same_picture(
    tiny_parts: StableDiffusionModel, picture: Path
) -> None:
    one = finished(tiny_parts, request_of(picture))
    same = finished(tiny_parts, request_of(picture, variation_seed=7))
    other = finished(tiny_parts, request_of(picture, variation_seed=7, variation_strength=0.5))
    assert one.record.latents_sha256 == same.record.latents_sha256
    assert one.record.latents_sha256 != other.record.latents_sha256


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpmpp_2m", "heun"])
def test_frames_show_the_picture_dissolve_and_come_back(
    tiny_parts: StableDiffusionModel, picture: Path, scheduler: str
) -> None:
    request = request_of(picture, strength=0.8, scheduler=scheduler)
    wanted = FrameOptions(noisy=True, decoder="vae")
    frames: dict[str, list[FrameDecoded]] = defaultdict(list)
    for event in stream(tiny_parts, request, wanted):
        if isinstance(event, FrameDecoded):
            frames[event.kind].append(event)
    assert [*frames] == ["forward", "clean", "noisy"]
    total = frames["clean"][0].total_steps
    assert [len(each) for each in frames.values()] == [total, total + 1, total + 1]
    times = [frame.timestep for frame in frames["forward"]]
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] <= frames["clean"][0].timestep == frames["clean"][1].timestep
    # The picture as the VAE has it; and what dissolves goes on into what the steps begin with.
    with Image.open(picture) as opened:
        pixels = to_tensor(opened)
    with torch.inference_mode():
        encoded = tiny_parts.encode_image(pixels, torch.Generator("cpu").manual_seed(SEED))
    (shown,) = to_pil(decode_pixels(tiny_parts, encoded))
    assert np.array_equal(np.asarray(frames["forward"][0].image), np.asarray(shown))
    assert frames["clean"][0].image == frames["noisy"][0].image


def test_noise_alone_has_no_forward_frames(tiny_parts: StableDiffusionModel) -> None:
    request = GenerationRequest(prompt="a red sheep", seed=SEED, num_inference_steps=2)
    events = list(stream(tiny_parts, request, FrameOptions()))
    assert {event.kind for event in events if isinstance(event, FrameDecoded)} == {"clean"}


def test_precision_does_not_change_the_noise(tiny_folder: Path, picture: Path) -> None:
    hashes = set()
    for dtype in ("fp32", "bf16"):
        model = load_model(str(tiny_folder), device="cpu", dtype=dtype)
        *_, last = stream(model, request_of(picture, num_inference_steps=2))
        assert isinstance(last, RunFinished)
        hashes.add(last.record.noise_sha256)
    assert len(hashes) == 1
