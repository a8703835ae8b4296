"""The denoising loop: a generator of steps that knows no family.

Progress, frames, hashes, stopping early are what its consumer does with what it yields. At
float32 and batch 1, Stable Diffusion's latents are those of diffusers' pipeline bit for bit.

A graphics card takes its orders in a queue, and is idle whenever that is empty. So no step reads
what the card computes: the scheduler's numbers are on the CPU, and what is to be known of the
latents, `sheepgen.pipeline.finite` reads a step later.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.pipeline.finite import finite_steps

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from diffusers import SchedulerMixin
    from torch import Tensor

    from sheepgen.pipeline.family import Denoiser
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import Inpainting

__all__ = ["DenoiseStep", "Start", "StepSettings", "denoise", "take_steps"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What the loop begins from.

    Args:
        latents: (batch, channels, height, width), on the model's device, at the scheduler's scale.
        first_step: Index of the first timestep; above 0 for image to image.
        inpainting: What stays as it is, if anything does.
    """

    latents: Tensor
    first_step: int = 0
    inpainting: Inpainting | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSettings:
    """What a step follows besides the latents.

    Args:
        conditioning: From `sheepgen.pipeline.family.Model.encode`, of as many images as there are
            latents.
        guidance: How strongly the conditioning is followed.
        arguments: Of the scheduler's ``step``, from `sheepgen.pipeline.scheduler.arguments_for`.
    """

    conditioning: Any
    guidance: Guidance
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DenoiseStep:
    """One step, just taken. All tensors are (batch, channels, height, width).

    Args:
        index: Of the scheduler's timesteps, from 0.
        timestep: The scheduler's, at which the prediction was made.
        model_input: What the network saw, at the scale it was trained on.
        alpha: Share of the clean latents in it.
        sigma: Share of the noise.
        pred_original_sample: The estimate of the clean latents that it gave, float32.
        latents: The scheduler's latents after the step.
    """

    index: int
    timestep: float
    model_input: Tensor
    alpha: float
    sigma: float
    pred_original_sample: Tensor
    latents: Tensor

    def of_image(self, number: int) -> DenoiseStep:
        """Return what the step was to one image of the batch, (1, channels, height, width)."""
        own = slice(number, number + 1)
        return replace(
            self,
            model_input=self.model_input[own],
            pred_original_sample=self.pred_original_sample[own],
            latents=self.latents[own],
        )


def denoise(
    model: Denoiser,
    scheduler: SchedulerMixin,
    start: Start,
    settings: Iterable[StepSettings],
) -> Generator[DenoiseStep, None, None]:
    """Take noise away step by step.

    Args:
        model: Predicts, and says what its predictions mean.
        scheduler: From `sheepgen.pipeline.family.Model.build_scheduler`.
        start: The latents to begin with, and at which step.
        settings: Of each step in turn, at least as many; `itertools.repeat` if nothing changes.

    Yields:
        One `DenoiseStep` for each of the scheduler's timesteps from the first step on, once its
        latents are known to be finite. A CUDA card computes the next one meanwhile.

    Raises:
        NonFiniteError: If the latents are not finite after a step.
    """
    total_steps = len(scheduler.timesteps) - start.first_step
    with closing(take_steps(model, scheduler, start, settings)) as steps:
        yield from finite_steps(steps, total_steps)


# A decorator and no `with`: it restores the caller's mode at every yield.
@torch.inference_mode()
def take_steps(
    model: Denoiser,
    scheduler: SchedulerMixin,
    start: Start,
    settings: Iterable[StepSettings],
) -> Generator[DenoiseStep, None, None]:
    """Do what `denoise` does, whether or not the latents are finite, and wait for no device.

    Some things wait all the same: schedulers that add noise, which is drawn on the CPU, and
    repainting with a network that does not see the mask.
    """
    process, latents = model.process, start.latents
    if start.first_step and hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start.first_step)
    total_steps = len(scheduler.timesteps)
    timesteps = enumerate(scheduler.timesteps[start.first_step :], start.first_step)
    on_device = _moved(scheduler.timesteps[start.first_step :], latents.device)
    for (index, t), seen, own in zip(timesteps, on_device, settings, strict=False):
        # What the network sees is x = alpha * x0 + sigma * noise.
        model_input = process.model_input(scheduler, latents, t)
        prediction = model.predict(model_input, seen, own.conditioning, own.guidance)
        alpha, sigma = process.alpha_sigma(scheduler, t)
        x0 = process.predict_x0(model_input, prediction, alpha=alpha, sigma=sigma)
        prediction = process.scheduler_prediction(
            scheduler, model_input, prediction, alpha=alpha, sigma=sigma
        )
        latents = scheduler.step(prediction, t, latents, **own.arguments, return_dict=False)[0]
        if (kept := start.inpainting) is not None:
            # Where the image stays, it is as noisy as the next step expects it.
            image = kept.clean
            if index + 1 < total_steps:
                image = process.add_noise(scheduler, image, kept.noise, index + 1)
            latents = kept.mask * latents + (1 - kept.mask) * image
        yield DenoiseStep(
            index=index,
            timestep=float(t),
            model_input=model_input,
            alpha=alpha,
            sigma=sigma,
            pred_original_sample=x0,
            latents=latents,
        )


def _moved(timesteps: Tensor, device: torch.device) -> Tensor:
    """Return timesteps on a device; Apple's have no float64."""
    dtype = torch.float32 if device.type == "mps" and timesteps.is_floating_point() else None
    return timesteps.to(device, dtype)
