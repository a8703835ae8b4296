"""Pictures of an image in the making: they come with the steps, are right, and change nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sheepgen.events import FrameDecoded, PreviewDecoded, RunFinished, StepCompleted
from sheepgen.options import FrameOptions
from sheepgen.pipeline.preview import begin_preview
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.request import GenerationRequest

if TYPE_CHECKING:
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

REQUEST = GenerationRequest(prompt="a red sheep", seed=7, num_inference_steps=3, scheduler="ddim")
PREVIEW = FrameOptions(clean=False, preview=True)


class LinearEncoder:
    """Latents of four channels: the mean colour of 8x8 pixels, mixed, and how it changes across."""

    mixing = torch.tensor([[2.0, 0.5, 0.0], [0.0, -1.0, 0.3], [0.4, 0.0, 1.5]])

    def encode_image(self, pixels: Tensor, _: torch.Generator) -> Tensor:
        blocks = torch.nn.functional.avg_pool2d(pixels, 8)
        halves = torch.nn.functional.avg_pool2d(pixels, (8, 4))
        across = (halves[..., ::2] - halves[..., 1::2]).mean(dim=1, keepdim=True)
        return torch.cat([torch.einsum("cd,bdhw->bchw", self.mixing, blocks) + 0.1, across], dim=1)


def test_colours_are_what_the_models_own_encoder_makes_of_them() -> None:
    model = LinearEncoder()
    preview = begin_preview(cast("Any", model))
    picture = torch.rand((1, 3, 64, 96), generator=torch.Generator().manual_seed(5)) * 2 - 1
    shown = preview.picture(model.encode_image(picture, torch.Generator()))
    colours = torch.nn.functional.avg_pool2d(picture, 8)[0].permute(1, 2, 0) * 0.5 + 0.5
    assert shown.size == (12, 8)
    assert np.abs(np.asarray(shown) - (colours.numpy() * 255)).max() <= 1


def test_the_last_preview_is_nearly_the_image() -> None:
    from sheepgen.models.resolve import find_model
    from sheepgen.pipeline.loading import load_model

    model = load_model(find_model("sheepgen"), device="cpu", dtype="fp32")
    request = GenerationRequest(prompt="a strawberry", seed=1, num_inference_steps=6)
    events = list(stream(model, request, PREVIEW))
    (*_, preview) = [event.image for event in events if isinstance(event, PreviewDecoded)]
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    small = finished.image.convert("RGB").resize(preview.size, Image.Resampling.BOX)
    error = (np.asarray(preview, dtype=float) - np.asarray(small, dtype=float)) ** 2
    assert 10 * np.log10(255**2 / error.mean()) > 40  # dB; 43.4 to 44.5 for four prompts


def test_a_preview_comes_after_each_step_and_changes_no_bit(
    tiny_parts: StableDiffusionModel,
) -> None:
    events = list(stream(tiny_parts, REQUEST, PREVIEW))
    *running, finished = events[1:]
    assert [type(event) for event in running] == [StepCompleted, PreviewDecoded] * 3
    *_, alone = stream(tiny_parts, REQUEST)
    assert isinstance(finished, RunFinished)
    assert isinstance(alone, RunFinished)
    assert finished.image.tobytes() == alone.image.tobytes()
    assert finished.record.latents_sha256 == alone.record.latents_sha256


def test_frames_are_decoded_beside_it_as_ever(tiny_parts: StableDiffusionModel) -> None:
    both = list(stream(tiny_parts, REQUEST, FrameOptions(preview=True)))
    alone = list(stream(tiny_parts, REQUEST, FrameOptions()))
    frames = [
        [each for each in events if isinstance(each, FrameDecoded)] for events in (both, alone)
    ]
    assert len(frames[0]) == 4
    assert [each.image.tobytes() for each in frames[0]] == [
        each.image.tobytes() for each in frames[1]
    ]


def test_of_a_batch_the_first_image_is_shown(tiny_parts: StableDiffusionModel) -> None:
    requests = [replace(REQUEST, seed=seed) for seed in (7, 8)]
    events = list(stream_batch(tiny_parts, requests, PREVIEW))
    shown = [event.request.seed for event in events if isinstance(event, PreviewDecoded)]
    assert shown == [7, 7, 7]
