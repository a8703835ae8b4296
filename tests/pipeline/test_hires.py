"""Two passes are what diffusers' pipelines make one after the other, with one generator."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline
from PIL import Image

from sheepgen.events import FrameDecoded, RunFinished, RunStarted, StepCompleted
from sheepgen.options import FrameOptions
from sheepgen.pipeline.frames import decode_pixels, to_pil
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.loaded import finished
from tests.pipeline.reference import reference_pipeline
from tests.pipeline.test_stable_diffusion_xl import reference
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from sheepgen.events import Event
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

SEED, STEPS = 42, 6

SHARED: dict[str, Any] = {"guidance_scale": 4.0, "num_inference_steps": STEPS}

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=SEED, hires="1.5:0.5", scheduler="ddim", **SHARED
)


def one_after_the_other(
    first: Any, second_class: Any, size: tuple[int, int], strength: float
) -> Tensor:
    """Return the latents of a user of diffusers who makes an image and goes on with it."""
    generator = torch.Generator("cpu").manual_seed(SEED)
    image = first("a red sheep", generator=generator, width=32, height=32, **SHARED).images[0]
    second = second_class(**first.components)
    second.set_progress_bar_config(disable=True)
    latents: Tensor = second(
        "a red sheep",
        image=image.resize(size, Image.Resampling.LANCZOS),
        strength=strength,
        generator=generator,
        output_type="latent",
        **SHARED,
    ).images
    return latents


@pytest.mark.parametrize(
    ("scheduler", "hires", "size"),
    [
        *(
            (scheduler, "1.5:0.5", (48, 48))
            for scheduler in ("ddim", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_sde", "heun", "lcm")
        ),
        *((scheduler, "2:0.4", (64, 64)) for scheduler in ("euler_a", "heun")),
        *((scheduler, "2:1", (64, 64)) for scheduler in ("ddim", "dpmpp_2m_sde")),
    ],
)
def test_stable_diffusion(
    tiny_parts: StableDiffusionModel, scheduler: str, hires: str, size: tuple[int, int]
) -> None:
    latents = one_after_the_other(
        reference_pipeline(tiny_parts, scheduler),
        StableDiffusionImg2ImgPipeline,
        size,
        float(hires.partition(":")[2]),
    )
    ours = finished(tiny_parts, replace(REQUEST, scheduler=scheduler, hires=hires))
    assert ours.record.latents_sha256 == tensor_sha256(latents)
    (picture,) = to_pil(decode_pixels(tiny_parts, latents))
    assert ours.image.size == ours.record.request.final_size == size
    assert np.array_equal(np.asarray(ours.image), np.asarray(picture))


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_xl(tmp_path_factory.mktemp("models") / "xl")


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "euler_a", "dpmpp_2m"])
def test_stable_diffusion_xl(xl_folder: Path, scheduler: str) -> None:
    latents = one_after_the_other(
        reference(xl_folder, scheduler), StableDiffusionXLImg2ImgPipeline, (48, 48), 0.5
    )
    model = load_model(str(xl_folder), device="cpu", dtype="fp32")
    ours = finished(model, replace(REQUEST, scheduler=scheduler))
    assert ours.record.latents_sha256 == tensor_sha256(latents)


def test_from_a_picture_both_passes_are_image_to_image(
    tiny_parts: StableDiffusionModel, tmp_path: Path
) -> None:
    photograph(32, 32).save(tmp_path / "photo.png")
    pipeline = StableDiffusionImg2ImgPipeline(
        **reference_pipeline(tiny_parts, "euler_a").components
    )
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(SEED)
    image: Any = Image.open(tmp_path / "photo.png")
    for size, strength, output_type in (((32, 32), 0.7, "pil"), ((64, 64), 0.4, "latent")):
        image = pipeline(
            "a red sheep",
            image=image.resize(size, Image.Resampling.LANCZOS),
            strength=strength,
            generator=generator,
            output_type=output_type,
            **SHARED,
        ).images
        image = image[0] if output_type == "pil" else image
    request = replace(
        REQUEST,
        image=str(tmp_path / "photo.png"),
        strength=0.7,
        hires="2:0.4",
        scheduler="euler_a",
    )
    assert finished(tiny_parts, request).record.latents_sha256 == tensor_sha256(image)


def first_pass(events: list[Event]) -> list[Image.Image]:
    """Return the frames of the first pass."""
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    return [frame.image for frame in frames if frame.steps_before == 0]


def test_the_first_pass_is_the_image_without_the_second(tiny_parts: StableDiffusionModel) -> None:
    options = FrameOptions(noisy=True, decoder="vae")
    with_hires = list(stream(tiny_parts, REQUEST, options))
    alone = list(stream(tiny_parts, replace(REQUEST, hires=""), options))
    assert first_pass(with_hires) == first_pass(alone)
    last, other = with_hires[-1], alone[-1]
    assert isinstance(last, RunFinished)
    assert isinstance(other, RunFinished)
    assert last.record.noise_sha256 == other.record.noise_sha256
    assert np.array_equal(np.asarray(first_pass(with_hires)[-1]), np.asarray(other.image))


@pytest.mark.parametrize(
    ("scheduler", "passes"), [("ddim", (6, 3)), ("heun", (11, 5)), ("pndm", (7, 4))]
)
def test_steps_and_frames_count_through(
    tiny_parts: StableDiffusionModel, scheduler: str, passes: tuple[int, int]
) -> None:
    request = replace(REQUEST, scheduler=scheduler)
    events = list(stream(tiny_parts, request, FrameOptions(noisy=True)))
    first, total = passes[0], sum(passes)
    assert isinstance(events[0], RunStarted)
    assert events[0].total_steps == total
    steps = [event for event in events if isinstance(event, StepCompleted)]
    assert [step.step for step in steps] == list(range(1, total + 1))
    assert {step.total_steps for step in steps} == {total}

    frames: dict[tuple[int, str], list[FrameDecoded]] = defaultdict(list)
    for event in events:
        if isinstance(event, FrameDecoded):
            frames[event.steps_before, event.kind].append(event)
    assert {key: [frame.step for frame in each] for key, each in frames.items()} == {
        (0, "clean"): list(range(first + 1)),
        (0, "noisy"): list(range(first + 1)),
        (first, "forward"): list(range(first, total + 1)),
        (first, "clean"): list(range(first + 1, total + 1)),
        (first, "noisy"): list(range(first + 1, total + 1)),
    }
    assert [*frames] == sorted(frames, key=lambda key: key[0])
    for (before, _), each in frames.items():
        assert {frame.image.size for frame in each} == {(48, 48) if before else (32, 32)}
        assert {frame.total_steps for frame in each} == {total}
    times = [frame.timestep for frame in frames[first, "forward"]]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (0, frames[first, "clean"][0].timestep)


def test_a_variation_varies_the_noise_of_both(tiny_parts: StableDiffusionModel) -> None:
    one = finished(tiny_parts, REQUEST)
    same = finished(tiny_parts, replace(REQUEST, variation_seed=7))
    other = finished(tiny_parts, replace(REQUEST, variation_seed=7, variation_strength=0.5))
    assert one.record.latents_sha256 == same.record.latents_sha256
    assert one.record.latents_sha256 != other.record.latents_sha256


@pytest.mark.parametrize("scheduler", ["ddim", "euler_a"])
def test_images_made_together_are_those_made_alone(
    tiny_parts: StableDiffusionModel, scheduler: str
) -> None:
    requests = [
        replace(REQUEST, scheduler=scheduler, seed=seed, prompt=prompt)
        for seed, prompt in ((1, "a red sheep"), (2, "two blue goats"))
    ]
    options = FrameOptions(decoder="vae")
    events = list(stream_batch(tiny_parts, requests, options))
    for request in map(tiny_parts.spec.resolve, requests):
        own = [event for event in events if event.request == request]
        alone = list(stream(tiny_parts, request, options))
        assert [type(event) for event in own] == [type(event) for event in alone]
        for ours, theirs in zip(own, alone, strict=True):
            if isinstance(ours, FrameDecoded | RunFinished):
                assert isinstance(theirs, type(ours))
                assert ours.image.size == theirs.image.size
                levels = np.asarray(ours.image).astype(int) - np.asarray(theirs.image)
                assert np.abs(levels).max() <= 3


def test_precision_does_not_change_the_noise(tiny_folder: Path) -> None:
    hashes = set()
    for dtype in ("fp32", "bf16"):
        model = load_model(str(tiny_folder), device="cpu", dtype=dtype)
        hashes.add(finished(model, REQUEST).record.noise_sha256)
    assert len(hashes) == 1
