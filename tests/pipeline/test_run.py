"""From a request to events: their order, their numbers, and that they come out the same again."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from sheepgen.errors import NonFiniteError, UsageError
from sheepgen.events import FrameDecoded, RunFinished, RunStarted, StepCompleted
from sheepgen.options import FrameOptions
from sheepgen.pipeline.noise import slerp, tensor_sha256
from sheepgen.pipeline.run import generate, stream, stream_batch
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import SCHEDULERS
from tests.pipeline.fakes import ConstantUNet

if TYPE_CHECKING:
    from sheepgen.events import Event
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=7, num_inference_steps=3, guidance_scale=4.0, scheduler="ddim"
)


def finish(parts: StableDiffusionModel, request: GenerationRequest = REQUEST) -> RunFinished:
    *_, finished = stream(parts, request)
    assert isinstance(finished, RunFinished)
    return finished


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_the_order_of_events(tiny_parts: StableDiffusionModel) -> None:
    events = list(stream(tiny_parts, REQUEST))
    assert kinds(events) == ["RunStarted", *["StepCompleted"] * 3, "RunFinished"]
    started, finished = events[0], events[-1]
    assert isinstance(started, RunStarted)
    assert isinstance(finished, RunFinished)
    assert (started.total_steps, started.device, started.dtype) == (3, "cpu", "fp32")
    assert started.request == finished.record.request == tiny_parts.spec.resolve(REQUEST)
    assert finished.image.size == (32, 32)


def test_what_is_left_open_is_the_models(tiny_parts: StableDiffusionModel) -> None:
    request = finish(tiny_parts, GenerationRequest(prompt="sheep", seed=1)).request
    defaults = tiny_parts.spec.defaults
    for field in fields(defaults):
        assert getattr(request, field.name) == getattr(defaults, field.name)


@pytest.mark.parametrize(("scheduler", "total"), [("ddim", 3), ("heun", 5), ("pndm", 4)])
def test_steps_count_from_one_to_the_total(
    tiny_parts: StableDiffusionModel, scheduler: str, total: int
) -> None:
    events = list(stream(tiny_parts, replace(REQUEST, scheduler=scheduler)))
    steps = [event for event in events if isinstance(event, StepCompleted)]
    assert [step.step for step in steps] == list(range(1, total + 1))
    assert {step.total_steps for step in steps} == {total}
    assert isinstance(events[0], RunStarted)
    assert events[0].total_steps == total
    times = [step.elapsed_s for step in steps]
    assert times == sorted(times)
    assert times[0] > 0


def test_the_same_again(tiny_parts: StableDiffusionModel) -> None:
    first, second = finish(tiny_parts), finish(tiny_parts)
    assert first.record == second.record
    assert np.array_equal(np.asarray(first.image), np.asarray(second.image))
    assert np.array_equal(np.asarray(first.image), np.asarray(generate(tiny_parts, REQUEST)))
    assert finish(tiny_parts, replace(REQUEST, seed=8)).record != first.record


def test_the_record_proves_the_noise(tiny_parts: StableDiffusionModel) -> None:
    generator = torch.Generator("cpu").manual_seed(REQUEST.seed)
    noise = torch.randn(1, 4, 16, 16, generator=generator)
    assert finish(tiny_parts).record.noise_sha256 == tensor_sha256(noise)


def varied(strength: float, seed: int = 8, **fields: Any) -> GenerationRequest:
    return replace(REQUEST, variation_seed=seed, variation_strength=strength, **fields)


def test_a_variation_is_a_mixture_of_noises(tiny_parts: StableDiffusionModel) -> None:
    noises = [
        torch.randn(4, 16, 16, generator=torch.Generator("cpu").manual_seed(seed))
        for seed in (REQUEST.seed, 8)
    ]
    record = finish(tiny_parts, varied(0.25)).record
    assert record.noise_sha256 == tensor_sha256(slerp(0.25, *noises))
    assert (record.request.variation_seed, record.request.variation_strength) == (8, 0.25)


def test_a_variation_begins_at_the_seed_and_ends_at_the_other(
    tiny_parts: StableDiffusionModel,
) -> None:
    for strength, seed in ((0.0, REQUEST.seed), (1.0, 8)):
        ours = finish(tiny_parts, varied(strength)).record
        plain = finish(tiny_parts, replace(REQUEST, seed=seed)).record
        assert ours.noise_sha256 == plain.noise_sha256
        assert ours.latents_sha256 == plain.latents_sha256


def test_what_a_scheduler_draws_stays_the_seeds(tiny_parts: StableDiffusionModel) -> None:
    def latents(request: GenerationRequest) -> str:
        return finish(tiny_parts, replace(request, scheduler="euler_a")).record.latents_sha256

    assert latents(varied(0.5, REQUEST.seed)) == latents(REQUEST)
    assert latents(varied(1.0)) != latents(replace(REQUEST, seed=8))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_which_schedulers_add_noise_by_the_seed(
    tiny_parts: StableDiffusionModel, name: str
) -> None:
    settings: dict[str, Any] = {"scheduler": name, "num_inference_steps": 3, "eta": 0.0}
    ours = finish(tiny_parts, varied(1.0, **settings)).record
    plain = finish(tiny_parts, replace(REQUEST, seed=8, **settings)).record
    assert ours.noise_sha256 == plain.noise_sha256
    assert (ours.latents_sha256 != plain.latents_sha256) == SCHEDULERS[name].adds_noise


def test_the_global_generator_is_left_alone(tiny_parts: StableDiffusionModel) -> None:
    before = torch.random.get_rng_state()
    finish(tiny_parts, replace(REQUEST, scheduler="euler_a"))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_words_that_fell_off_are_recorded(tiny_parts: StableDiffusionModel) -> None:
    prompt = "sheep and " * 7 + "red fox"
    assert finish(tiny_parts, replace(REQUEST, prompt=prompt)).record.truncated == ("red", "fox")


def test_bf16_draws_the_same_noise_and_about_the_same_image(
    tiny_parts: StableDiffusionModel,
) -> None:
    half = replace(
        tiny_parts,
        text_encoder=_cast(tiny_parts.text_encoder),
        unet=_cast(tiny_parts.unet),
        vae=_cast(tiny_parts.vae),
        dtype=torch.bfloat16,
    )
    ours, full = finish(half), finish(tiny_parts)
    assert ours.record.environment.dtype == "bf16"
    assert ours.record.noise_sha256 == full.record.noise_sha256
    assert ours.record.latents_sha256 != full.record.latents_sha256
    levels = np.asarray(ours.image).astype(int) - np.asarray(full.image)
    assert np.abs(levels).max() < 24


def _cast(model: Any) -> Any:
    copy = type(model).from_config(model.config) if hasattr(type(model), "from_config") else None
    copy = type(model)(model.config) if copy is None else copy
    copy.load_state_dict(model.state_dict())
    return copy.eval().to(torch.bfloat16)


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "heun", "dpmpp_2m", "lcm"])
def test_frames(tiny_parts: StableDiffusionModel, scheduler: str) -> None:
    request = replace(REQUEST, scheduler=scheduler)
    options = FrameOptions(clean=True, noisy=True, decoder="vae")
    events = list(stream(tiny_parts, request, options))
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    total = len([event for event in events if isinstance(event, StepCompleted)])
    assert kinds(events)[-len(frames) - 1 :] == ["FrameDecoded"] * len(frames) + ["RunFinished"]
    numbers = list(range(total + 1))
    clean = [frame for frame in frames if frame.kind == "clean"]
    noisy = [frame for frame in frames if frame.kind == "noisy"]
    assert [frame.step for frame in clean] == [frame.step for frame in noisy] == numbers
    assert {frame.image.size for frame in frames} == {(32, 32)}
    assert {frame.total_steps for frame in frames} == {total}

    pixels = [np.asarray(frame.image).astype(int) for frame in (clean[0], noisy[0], noisy[-1])]
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert np.array_equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[2], np.asarray(finished.image))


def test_frames_change_no_pixel_of_the_image(tiny_parts: StableDiffusionModel) -> None:
    *_, finished = stream(tiny_parts, REQUEST, FrameOptions(noisy=True))
    assert isinstance(finished, RunFinished)
    assert finished.record == finish(tiny_parts).record


def test_one_kind_of_frames(tiny_parts: StableDiffusionModel) -> None:
    events = list(stream(tiny_parts, REQUEST, FrameOptions(clean=False, noisy=True)))
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    assert [frame.kind for frame in frames] == ["noisy"] * 4


def test_what_cannot_be_done_is_said_before_the_first_step(
    tiny_parts: StableDiffusionModel,
) -> None:
    with pytest.raises(UsageError, match="preview"):
        next(stream(tiny_parts, REQUEST, FrameOptions(decoder="preview")))
    with pytest.raises(UsageError, match="do not fit"):
        next(stream(tiny_parts, replace(REQUEST, num_inference_steps=1000)))
    with pytest.raises(UsageError, match="at most 50"):
        next(stream(tiny_parts, replace(REQUEST, scheduler="lcm", num_inference_steps=51)))


def test_nan_is_an_error_and_no_black_picture(tiny_parts: StableDiffusionModel) -> None:
    unet = cast("Any", ConstantUNet(0.0, later=float("nan"), since=1))
    with pytest.raises(NonFiniteError, match="after step 2 of 3"):
        generate(replace(tiny_parts, unet=unet), replace(REQUEST, guidance_scale=1.0))


def test_stopping_early_stops_the_network(tiny_parts: StableDiffusionModel) -> None:
    unet = ConstantUNet(0.0)
    request = replace(REQUEST, guidance_scale=1.0)
    events = stream(replace(tiny_parts, unet=cast("Any", unet)), request)
    assert [type(next(events)), type(next(events))] == [RunStarted, StepCompleted]
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    events.close()
    assert unet.calls == 1
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


TOGETHER = [
    REQUEST,
    replace(REQUEST, seed=8, prompt="two blue goats"),
    replace(REQUEST, seed=9, negative_prompt="blue", variation_seed=3, variation_strength=0.5),
]


@pytest.mark.parametrize("scheduler", ["ddim", "ddpm", "euler_a", "dpmpp_2m_sde", "lcm", "pndm"])
def test_images_made_together_are_those_made_alone_but_for_their_last_bits(
    tiny_parts: StableDiffusionModel, scheduler: str
) -> None:
    requests = [replace(request, scheduler=scheduler) for request in TOGETHER]
    events = list(stream_batch(tiny_parts, requests))
    together = [event for event in events if isinstance(event, RunFinished)]
    assert [event.record.environment.batch_size for event in together] == [3, 3, 3]
    for request, ours in zip(requests, together, strict=True):
        alone = finish(tiny_parts, request)
        assert ours.request == ours.record.request == alone.request
        assert ours.record.noise_sha256 == alone.record.noise_sha256
        assert alone.record.environment.batch_size == 1
        levels = np.asarray(ours.image).astype(int) - np.asarray(alone.image)
        assert np.abs(levels).max() <= 1


def test_the_order_of_events_of_several(tiny_parts: StableDiffusionModel) -> None:
    events = list(stream_batch(tiny_parts, TOGETHER, FrameOptions(decoder="linear")))
    finishing = [*["FrameDecoded"] * 4, "RunFinished"]
    assert kinds(events) == ["RunStarted"] * 3 + ["StepCompleted"] * 9 + finishing * 3
    for request in TOGETHER:
        own = [event for event in events if event.request == tiny_parts.spec.resolve(request)]
        assert kinds(own) == ["RunStarted", *["StepCompleted"] * 3, *finishing]
        frames = [event.image for event in own if isinstance(event, FrameDecoded)]
        alone = [
            event.image
            for event in stream(tiny_parts, request, FrameOptions(decoder="linear"))
            if isinstance(event, FrameDecoded)
        ]
        for ours, theirs in zip(frames, alone, strict=True):
            assert np.abs(np.asarray(ours).astype(int) - np.asarray(theirs)).max() <= 2


def test_without_guidance_nothing_is_kept_away_from(tiny_parts: StableDiffusionModel) -> None:
    requests = [replace(request, guidance_scale=1.0) for request in TOGETHER]
    *_, last = stream_batch(tiny_parts, requests)
    assert isinstance(last, RunFinished)
    alone = finish(tiny_parts, requests[-1])
    assert np.abs(np.asarray(last.image).astype(int) - np.asarray(alone.image)).max() <= 1
