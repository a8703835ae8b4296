"""Frames: which latents they show, and how latents become pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.errors import UsageError
from sheepgen.pipeline.denoise import DenoiseStep
from sheepgen.pipeline.frames import (
    choose_decoder,
    clean_latents,
    colour_latents,
    decode_frames,
    decode_pixels,
    forward_latents,
    latents_to_colours,
    noisy_latents,
    to_pil,
)
from tests.pipeline.fakes import LinearVAE

if TYPE_CHECKING:
    from PIL.Image import Image

    from sheepgen.options import FrameDecoder
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

LATENTS = torch.randn(20, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def preview_parts(tiny_parts: StableDiffusionModel) -> StableDiffusionModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = PreviewDecoder(latent_channels=4, width=4, upscale=2)
    return replace(tiny_parts, preview_decoder=decoder.eval().requires_grad_(requires_grad=False))


def frames(
    parts: StableDiffusionModel, decoder: FrameDecoder, latents: torch.Tensor
) -> list[Image]:
    finished = LATENTS[:1]
    return list(
        decode_frames(
            parts,
            latents,
            decoder,
            finished_latents=finished,
            finished_pixels=decode_pixels(parts, finished),
        )
    )


def test_auto_is_the_cheapest_that_looks_right(
    tiny_parts: StableDiffusionModel, preview_parts: StableDiffusionModel
) -> None:
    assert choose_decoder(tiny_parts, "auto") == "linear"
    assert choose_decoder(preview_parts, "auto") == "preview"
    assert choose_decoder(preview_parts, "vae") == "vae"
    with pytest.raises(UsageError, match="no preview decoder"):
        choose_decoder(tiny_parts, "preview")


@pytest.mark.parametrize("decoder", ["preview", "linear", "vae"])
def test_a_frame_is_as_large_as_the_image(
    preview_parts: StableDiffusionModel, decoder: FrameDecoder
) -> None:
    pictures = frames(preview_parts, decoder, LATENTS)
    assert [(picture.mode, picture.size) for picture in pictures] == [("RGB", (32, 32))] * 20


def test_the_vae_decodes_frames_as_it_does_the_image(tiny_parts: StableDiffusionModel) -> None:
    (picture,) = frames(tiny_parts, "vae", LATENTS[3:4])
    expected = to_pil(decode_pixels(tiny_parts, LATENTS[3:4]))[0]
    assert np.array_equal(np.asarray(picture), np.asarray(expected))


def test_a_preview_does_not_depend_on_its_neighbours(preview_parts: StableDiffusionModel) -> None:
    together = frames(preview_parts, "preview", LATENTS)
    (alone,) = frames(preview_parts, "preview", LATENTS[18:19])
    levels = np.asarray(together[18]).astype(int) - np.asarray(alone)
    assert np.abs(levels).max() <= 1  # the batch size may move the last bit


def test_the_linear_fit_finds_a_linear_vae(tiny_parts: StableDiffusionModel) -> None:
    colours = torch.linspace(-0.2, 0.2, 12).reshape(4, 3)
    parts = replace(tiny_parts, vae=cast("Any", LinearVAE(colours, scale=2)))
    finished = 0.1 * LATENTS[:1]
    fitted = latents_to_colours(finished, decode_pixels(parts, finished))
    # Latents are divided by the scaling factor of 0.5, and pixels are mapped from -1..1 to 0..1.
    expected = torch.cat([colours / 0.5 * 0.5, torch.full((1, 3), 0.5)]).double()
    torch.testing.assert_close(fitted, expected, rtol=0, atol=1e-6)
    other = 0.1 * LATENTS[1:3]
    small = decode_pixels(parts, other)[:, :, ::2, ::2]
    torch.testing.assert_close(colour_latents(other, fitted), small, rtol=0, atol=1e-6)


def test_an_image_smaller_than_the_fit_still_gets_colours() -> None:
    finished = LATENTS[:1, :, :1, :1]
    pixels = torch.full((1, 3, 2, 2), 0.25)
    colours = latents_to_colours(finished, pixels)
    torch.testing.assert_close(colour_latents(finished, colours), pixels[:, :, :1, :1])


def step(index: int) -> DenoiseStep:
    return DenoiseStep(
        index=index,
        timestep=0.0,
        model_input=torch.full((1, 1, 1, 1), 10.0 + index),
        alpha=0.5,
        sigma=float(3 - index),
        pred_original_sample=torch.full((1, 1, 1, 1), 20.0 + index),
        latents=torch.full((1, 1, 1, 1), 30.0 + index),
    )


def test_what_clean_and_noisy_frames_show() -> None:
    noise, steps = torch.zeros(1, 1, 1, 1), [step(0), step(1), step(2)]
    assert clean_latents(noise, steps).flatten().tolist() == [0, 20, 21, 22]
    assert noisy_latents(noise, steps).flatten().tolist() == [0, 11, 12, 32]


def test_forward_frames_go_through_the_noise_levels_in_reverse() -> None:
    clean, noise = torch.full((1, 1, 1, 1), 40.0), torch.full((1, 1, 1, 1), 100.0)
    steps = [step(0), step(1), step(2)]
    assert forward_latents(clean, noise, steps).flatten().tolist() == [40, 120, 220]
