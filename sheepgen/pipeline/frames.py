"""Latents as pictures: the finished image, and cheap frames of how it came out of the noise.

Frames are decoded after the run, when the finished image is there to fit a linear map to: latent
channels are nearly linear in colour, and so one least-squares fit per picture serves any model
without a table of constants.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch.nn.functional import interpolate

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from sheepgen.options import FrameDecoder
    from sheepgen.pipeline.denoise import DenoiseStep
    from sheepgen.pipeline.family import LoadedModel

__all__ = [
    "choose_decoder",
    "clean_latents",
    "colour_latents",
    "decode_frames",
    "decode_pixels",
    "forward_latents",
    "latents_to_colours",
    "noisy_latents",
    "relative_changes",
    "to_pil",
]

_CHUNK = 16  # frames decoded together: enough to fill a device, little enough for its memory


@torch.inference_mode()
def decode_pixels(model: LoadedModel, latents: Tensor) -> Tensor:
    """Decode latents, (batch, channels, height, width), as the network sees them.

    Returns:
        Pixels, (batch, 3, height, width), 0 to 1, float32, on the CPU.

    Raises:
        NonFiniteError: If they are not finite.
    """
    return _from_zero_to_one(model.decode(latents))


def to_pil(pixels: Tensor) -> list[Image.Image]:
    """Round pixels, (batch, 3, height, width), 0 to 1, to 8 bits as diffusers does."""
    levels = (pixels.permute(0, 2, 3, 1).numpy() * 255).round().astype("uint8")
    return [Image.fromarray(level) for level in levels]


def choose_decoder(model: LoadedModel, decoder: FrameDecoder) -> FrameDecoder:
    """Return what ``auto`` stands for with this model; any other choice as it is.

    Raises:
        UsageError: If the model has no preview decoder and that is what was asked for.
    """
    if decoder == "auto":
        return "linear" if model.preview_decoder is None else "preview"
    if decoder == "preview" and model.preview_decoder is None:
        raise UsageError(
            f"{excerpt(model.spec.name)} has no preview decoder.",
            "Decode the steps with linear or vae.",
        )
    return decoder


def forward_latents(clean: Tensor, noise: Tensor, steps: Sequence[DenoiseStep]) -> Tensor:
    """Return what forward frames show: a picture, then with more and more noise.

    They go through the noise levels of the steps in reverse, up to the one before the first, which
    the other frames begin with.

    Args:
        clean: Latents of the picture, (1, channels, height, width).
        noise: Likewise, at unit variance.
        steps: All of a run.

    Returns:
        (steps, channels, height, width).
    """
    noise = noise.to(clean)
    # x = alpha * x0 + sigma * noise
    noisy = [step.alpha * clean + step.sigma * noise for step in reversed(steps[1:])]
    return torch.cat([clean, *noisy])


def clean_latents(noise: Tensor, steps: Sequence[DenoiseStep]) -> Tensor:
    """Return what clean frames show: the start, then each step's estimate of the clean latents.

    Args:
        noise: What the run started with, (1, channels, height, width), at unit variance.
        steps: All of a run.

    Returns:
        (1 + steps, channels, height, width).
    """
    estimates = [step.pred_original_sample for step in steps]
    return torch.cat([noise.to(estimates[0].device), *estimates])


def noisy_latents(noise: Tensor, steps: Sequence[DenoiseStep]) -> Tensor:
    """Return what noisy frames show: the start, then the latents after each step.

    They are taken as the network sees them at the step that follows: schedulers of the Euler kind
    keep their own latents larger, up to some fifteen times, which no decoder could read.
    """
    latents = [*(step.model_input for step in islice(steps, 1, None)), steps[-1].latents]
    return torch.cat([noise.to(latents[0].device), *latents])


def relative_changes(latents: Tensor) -> list[float | None]:
    """Return how far each of ``latents`` is from the one before: ``|after - before| / |before|``.

    Args:
        latents: (frames, channels, height, width).

    Returns:
        One for each; None for the first.
    """
    flat = latents.float().flatten(1)
    changes: list[float] = ((flat[1:] - flat[:-1]).norm(dim=1) / flat[:-1].norm(dim=1)).tolist()
    return [None, *changes]


def decode_frames(
    model: LoadedModel,
    latents: Tensor,
    decoder: FrameDecoder,
    *,
    finished_latents: Tensor,
    finished_pixels: Tensor,
) -> Iterator[Image.Image]:
    """Decode one picture of the finished image's size for each of ``latents``.

    Args:
        model: Loaded.
        latents: (frames, channels, height, width), at the network's scale.
        decoder: From `choose_decoder`.
        finished_latents: The image's own, (1, channels, height, width).
        finished_pixels: What they were decoded to, (1, 3, height, width), 0 to 1.
    """
    match decoder:
        case "vae":
            for one in torch.split(latents, 1):
                yield from to_pil(decode_pixels(model, one))
        case "linear":
            colours = latents_to_colours(finished_latents, finished_pixels)
            height, width = finished_pixels.shape[-2:]
            for small in to_pil(colour_latents(latents, colours)):
                yield small.resize((width, height), Image.Resampling.BICUBIC)
        case _:
            for chunk in torch.split(latents, _CHUNK):
                yield from to_pil(_preview(model, chunk))


@torch.inference_mode()
def _preview(model: LoadedModel, latents: Tensor) -> Tensor:
    assert model.preview_decoder is not None, "choose_decoder checks it"
    pixels = model.preview_decoder(latents.to(model.device, model.dtype))
    return _from_zero_to_one(pixels)


def _from_zero_to_one(pixels: Tensor) -> Tensor:
    return (pixels * 0.5 + 0.5).clamp(0, 1).cpu().float()


def latents_to_colours(latents: Tensor, pixels: Tensor) -> Tensor:
    """Fit colours linearly to latents, each block of pixels averaged to one colour.

    Args:
        latents: (1, channels, height, width).
        pixels: (1, 3, height * scale, width * scale).

    Returns:
        (channels + 1, 3), float64 on the CPU; the last row is the constant part.
    """
    blocks = interpolate(pixels.double(), size=latents.shape[-2:], mode="area")
    # Small images have fewer latents than unknowns; `gelsd` then takes the smallest solution.
    fit = torch.linalg.lstsq(_with_one(_rows(latents)), _rows(blocks), driver="gelsd")
    colours: Tensor = fit.solution
    return colours


def colour_latents(latents: Tensor, colours: Tensor) -> Tensor:
    """Apply what `latents_to_colours` returned.

    Returns:
        (frames, 3, height, width), 0 to 1, float32.
    """
    frames, _, height, width = latents.shape
    rows = (_with_one(_rows(latents)) @ colours).clamp(0, 1).float()
    return rows.reshape(frames, height, width, 3).permute(0, 3, 1, 2)


def _rows(images: Tensor) -> Tensor:
    """Return one row of channels a position, (positions, channels), as float64 on the CPU."""
    return images.cpu().double().permute(0, 2, 3, 1).flatten(0, 2)


def _with_one(rows: Tensor) -> Tensor:
    return torch.cat([rows, torch.ones_like(rows[:, :1])], dim=1)
