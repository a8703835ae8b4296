"""U-Nets that predict the noise, and beside it how much of it is drawn anew at the next step.

https://arxiv.org/abs/2102.09672, section 3.1: the second half of the output channels says where the
variance lies between its two bounds. Schedulers that were not built for it go without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.pipeline.building import running
from sheepgen.pipeline.guidance import apply_guidance
from sheepgen.pipeline.process import DiffusionProcess
from sheepgen.pipeline.scheduler import learns_variance

if TYPE_CHECKING:
    from diffusers import SchedulerMixin, UNet2DConditionModel
    from torch import Tensor

    from sheepgen.pipeline.guidance import Guidance

__all__ = ["LearnedVarianceProcess", "predict_with_variance"]


@dataclass(frozen=True, slots=True)
class LearnedVarianceProcess(DiffusionProcess):
    """What predictions of twice as many channels mean as the latents have."""

    def predict_x0(
        self, model_input: Tensor, prediction: Tensor, *, alpha: float, sigma: float
    ) -> Tensor:
        """Return x0 in float32, of the latents' shape."""
        noise, _ = prediction.chunk(2, dim=1)
        return DiffusionProcess.predict_x0(self, model_input, noise, alpha=alpha, sigma=sigma)

    def scheduler_prediction(
        self,
        scheduler: SchedulerMixin,
        model_input: Tensor,
        prediction: Tensor,
        *,
        alpha: float,
        sigma: float,
    ) -> Tensor:
        """Return the prediction, without the variance if the scheduler has its own."""
        if learns_variance(scheduler):
            return prediction
        noise, _ = prediction.chunk(2, dim=1)
        return DiffusionProcess.scheduler_prediction(
            self, scheduler, model_input, noise, alpha=alpha, sigma=sigma
        )


def predict_with_variance(
    unet: UNet2DConditionModel,
    model_input: Tensor,
    timestep: Tensor,
    guidance: Guidance,
    *,
    guided: bool,
    **conditions: Any,  # noqa: ANN401 - as the U-Net takes them
) -> Tensor:
    """Return the guided noise and the variance, (batch, 2 * channels, height, width).

    Args:
        unet: Predicts both.
        model_input: What it sees of each image.
        timestep: The scheduler's.
        guidance: How strongly the conditions are followed, in the noise alone.
        guided: Whether there are conditions of two passes, those without the prompt first.
        conditions: A row for each image and pass.
    """
    if guided:
        model_input = torch.cat([model_input] * 2)
    with running("unet"):
        prediction: Tensor = unet(model_input, timestep, **conditions, return_dict=False)[0]
    if not guided:
        return prediction
    noise, variance = prediction.chunk(2, dim=1)
    _, of_text = variance.chunk(2)
    return torch.cat([apply_guidance(noise, guidance), of_text], dim=1)
