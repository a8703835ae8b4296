"""The denoising loop: a generator of steps.

Progress, frames, hashes, stopping early are what its consumer does with what it yields. At
float32 and batch 1 the latents are those of diffusers' ``StableDiffusionPipeline`` bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.errors import NonFiniteError
from sheepgen.pipeline.building import running
from sheepgen.pipeline.guidance import apply_guidance, guidance_embedding
from sheepgen.pipeline.process import alpha_sigma, predict_x0, velocity

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from diffusers import SchedulerMixin, UNet2DConditionModel
    from torch import Tensor

    from sheepgen.pipeline.conditioning import PromptEmbeds

__all__ = ["DenoiseStep", "denoise"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DenoiseStep:
    """One step, just taken. All tensors are (batch, channels, height, width).

    Args:
        index: Counts from 0.
        timestep: The time that the U-Net was told.
        model_input: What the U-Net saw, at unit variance whatever scale the scheduler works in.
        pred_original_sample: The estimate of the clean latents that it gave, float32.
        latents: The scheduler's latents after the step.
    """

    index: int
    timestep: float
    model_input: Tensor
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


# A decorator and no `with`: it restores the caller's mode at every yield.
@torch.inference_mode()
def denoise(
    unet: UNet2DConditionModel,
    scheduler: SchedulerMixin,
    embeds: PromptEmbeds,
    latents: Tensor,
    *,
    guidance_scale: float,
    guidance_rescale: float = 0.0,
    prediction_type: str,
    step_arguments: Mapping[str, Any],
) -> Generator[DenoiseStep, None, None]:
    """Take noise away step by step.

    Args:
        unet: The model's.
        scheduler: From `sheepgen.pipeline.scheduler.build_scheduler`, its timesteps set.
        embeds: With a negative prompt if `sheepgen.pipeline.guidance.is_guided`.
        latents: From `sheepgen.pipeline.latents.prepare_latents`, as many as there are prompts.
        guidance_scale: In diffusers' convention, where 1 is off.
        guidance_rescale: 0 to 1, with guidance only.
        prediction_type: What the U-Net predicts, one of `sheepgen.schedulers.PREDICTION_TYPES`.
        step_arguments: From `sheepgen.pipeline.scheduler.step_arguments`.

    Yields:
        One `DenoiseStep` for each of the scheduler's timesteps.

    Raises:
        NonFiniteError: If the latents are no longer finite after a step.
    """
    hidden_states, guided = embeds.prompt_embeds, embeds.negative_prompt_embeds is not None
    if embeds.negative_prompt_embeds is not None:
        hidden_states = torch.cat([embeds.negative_prompt_embeds, embeds.prompt_embeds])
    timestep_cond = None
    if unet.config.time_cond_proj_dim is not None:
        timestep_cond = guidance_embedding(guidance_scale, unet.config.time_cond_proj_dim)
        timestep_cond = timestep_cond.to(latents.device, latents.dtype)

    for index, t in enumerate(scheduler.timesteps):
        model_input = scheduler.scale_model_input(latents, t)
        with running("unet"):
            prediction = unet(
                torch.cat([model_input] * 2) if guided else model_input,
                t,
                encoder_hidden_states=hidden_states,
                timestep_cond=timestep_cond,
                return_dict=False,
            )[0]
        if guided:
            prediction = apply_guidance(prediction, guidance_scale, guidance_rescale)
        alpha, sigma = alpha_sigma(scheduler, t)
        estimate = predict_x0(model_input, prediction, prediction_type, alpha=alpha, sigma=sigma)
        if scheduler.config.prediction_type != prediction_type:
            prediction = velocity(model_input, prediction, alpha=alpha, sigma=sigma)
        latents = scheduler.step(prediction, t, latents, **step_arguments, return_dict=False)[0]
        if not latents.isfinite().all():
            raise NonFiniteError(
                f"The latents are not finite after step {index + 1} of {len(scheduler.timesteps)}.",
                "Try --dtype fp32, another --scheduler, or other --steps.",
            )
        yield DenoiseStep(
            index=index,
            timestep=float(t),
            model_input=model_input,
            pred_original_sample=estimate,
            latents=latents,
        )
