"""Noise, pixels and hashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from diffusers.image_processor import VaeImageProcessor

from sheepgen.errors import NonFiniteError
from sheepgen.pipeline.frames import decode_pixels, to_pil
from sheepgen.pipeline.noise import image_noise, slerp, tensor_sha256
from sheepgen.request import GenerationRequest
from tests.pipeline.fakes import BrittleVAE

if TYPE_CHECKING:
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel


REQUEST = GenerationRequest(prompt="x", seed=42, width=32, height=16)


def generator(seed: int = 42) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def test_noise_depends_on_the_seed_alone(tiny_parts: StableDiffusionModel) -> None:
    noise = tiny_parts.draw_noise(32, 16, generator())
    assert noise.shape == (1, 4, 8, 16)
    assert noise.dtype == torch.float32
    half = replace(tiny_parts, dtype=torch.bfloat16, device=torch.device("meta"))
    torch.manual_seed(0)
    assert torch.equal(half.draw_noise(32, 16, generator()), noise)
    assert not torch.equal(tiny_parts.draw_noise(32, 16, generator(43)), noise)
    assert torch.equal(noise, torch.randn(1, 4, 8, 16, generator=generator()))


@pytest.mark.parametrize("name", ["ddim", "euler"])
def test_latents_start_at_the_schedulers_scale(tiny_parts: StableDiffusionModel, name: str) -> None:
    request = replace(REQUEST, scheduler=name, num_inference_steps=4)
    scheduler = tiny_parts.build_scheduler(tiny_parts.spec.resolve(request))
    noise = tiny_parts.draw_noise(32, 32, generator())
    expected = noise * scheduler.init_noise_sigma
    assert torch.equal(tiny_parts.process.initial_latents(scheduler, noise), expected)
    half = replace(tiny_parts, dtype=torch.bfloat16)
    assert half.info.latents_dtype == torch.bfloat16


def test_rounding_is_diffusers() -> None:
    decoded = torch.randn(3, 3, 8, 8, generator=generator())
    decoded[0, 0, 0] = torch.arange(8) / 255 - 1 + 0.5 / 255  # halves between two levels
    expected = VaeImageProcessor().postprocess(decoded)
    images = to_pil((decoded * 0.5 + 0.5).clamp(0, 1))
    assert [image.mode for image in images] == ["RGB"] * 3
    assert all(
        np.array_equal(np.asarray(image), np.asarray(theirs))
        for image, theirs in zip(images, expected, strict=True)
    )


def with_vae(
    parts: StableDiffusionModel, dtype: torch.dtype, *good: torch.dtype
) -> StableDiffusionModel:
    vae = cast("Any", BrittleVAE(dtype, good, parts.spec.size_multiple))
    return replace(parts, vae=vae, dtype=dtype)


def test_a_vae_that_overflows_is_asked_again_at_float32(tiny_parts: StableDiffusionModel) -> None:
    parts = with_vae(tiny_parts, torch.float16, torch.float32)
    pixels = decode_pixels(parts, torch.zeros(1, 4, 2, 2, dtype=torch.float16))
    assert pixels.dtype == torch.float32
    assert torch.equal(pixels, torch.full((1, 3, 4, 4), 0.5))
    assert cast("Any", parts.vae).dtype == torch.float16


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_pixels_that_stay_infinite_are_an_error(
    tiny_parts: StableDiffusionModel, dtype: torch.dtype
) -> None:
    parts = with_vae(tiny_parts, dtype)
    with pytest.raises(NonFiniteError, match="VAE"):
        decode_pixels(parts, torch.zeros(1, 4, 2, 2, dtype=dtype))


def test_the_hash_is_of_float32_bytes_in_order() -> None:
    tensor = torch.arange(6).reshape(2, 3)
    expected = hashlib.sha256(np.array([0, 3, 1, 4, 2, 5], dtype="<f4").tobytes()).hexdigest()
    assert tensor_sha256(tensor.T) == expected
    assert tensor_sha256(tensor.T.to(torch.bfloat16)) == expected


def shoemake(strength: float, low: Any, high: Any) -> Any:
    """Return what AUTOMATIC1111's slerp is in exact arithmetic: columns turn, not whole noises."""
    low, high = (noise.double().numpy() for noise in (low, high))
    norms = [np.linalg.norm(noise, axis=1, keepdims=True) for noise in (low, high)]
    angle = np.arccos((low / norms[0] * high / norms[1]).sum(axis=1, keepdims=True))
    weights = np.sin((1 - strength) * angle), np.sin(strength * angle)
    return (weights[0] * low + weights[1] * high) / np.sin(angle)


@pytest.mark.parametrize("strength", [0.05, 0.5, 0.9])
def test_slerp_turns_columns_along_the_sphere(strength: float) -> None:
    low, high = torch.randn(2, 4, 16, 12, generator=generator())
    mixed = slerp(strength, low, high)
    assert mixed.numpy() == pytest.approx(shoemake(strength, low, high), abs=2e-5)
    assert mixed.std().item() == pytest.approx(1, abs=0.1)


def test_slerp_starts_and_ends_at_the_two_noises() -> None:
    low, high = torch.randn(2, 4, 16, 12, generator=generator())
    assert torch.equal(slerp(0.0, low, high), low)
    assert torch.equal(slerp(1.0, low, high), high)


@pytest.mark.parametrize("strength", [0.1, 0.6])
def test_slerp_between_noises_that_are_all_but_one_is_a_straight_line(strength: float) -> None:
    low, step = torch.randn(2, 4, 16, 12, generator=generator())
    assert torch.equal(slerp(strength, low, low), low)
    high = low + 1e-3 * step
    assert torch.equal(slerp(strength, low, high), torch.lerp(low, high, strength))


def test_slerp_of_one_row_is_finite() -> None:
    low, high = torch.randn(2, 4, 1, 12, generator=generator())
    assert torch.equal(slerp(0.25, low, high), torch.lerp(low, high, 0.25))


def test_noise_is_varied_by_a_generator_of_its_own(tiny_parts: StableDiffusionModel) -> None:
    request = replace(REQUEST, variation_seed=7, variation_strength=0.3)
    main = generator()
    varied = image_noise(tiny_parts, tiny_parts.spec.resolve(request), main)
    untouched = generator()
    noise = tiny_parts.draw_noise(32, 16, untouched)
    other = torch.randn(4, 8, 16, generator=generator(7))
    assert torch.equal(varied, slerp(0.3, noise[0], other)[None])
    assert varied.dtype == torch.float32
    assert torch.equal(main.get_state(), untouched.get_state())


@pytest.mark.parametrize("variation_seed", [None, 7])
def test_without_a_variation_noise_is_the_seeds(
    tiny_parts: StableDiffusionModel, variation_seed: int | None
) -> None:
    request = tiny_parts.spec.resolve(replace(REQUEST, variation_seed=variation_seed))
    noise = image_noise(tiny_parts, request, generator())
    assert torch.equal(noise, torch.randn(1, 4, 8, 16, generator=generator()))
