"""The model's estimate of the clean latents, x0, at any step of any scheduler, and back from it.

What the network sees is ``x = alpha * x0 + sigma * noise``, whatever scale a scheduler keeps its
own latents in; here with ``alpha**2 + sigma**2 == 1`` (a variance-preserving process). One formula
serves every scheduler, and none of them is stepped twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers import SchedulerMixin
    from torch import Tensor

__all__ = ["DiffusionProcess", "velocity"]


@dataclass(frozen=True, slots=True)
class DiffusionProcess:
    """A `sheepgen.pipeline.family.Process` for models trained on DDPM's noise schedule.

    Args:
        prediction_type: What the network predicts: one of `sheepgen.schedulers.PREDICTION_TYPES`.
    """

    prediction_type: str

    def initial_latents(self, scheduler: SchedulerMixin, noise: Tensor) -> Tensor:
        """Return pure noise at the scale at which the scheduler, its timesteps set, begins."""
        latents: Tensor = noise * scheduler.init_noise_sigma
        return latents

    def add_noise(
        self, scheduler: SchedulerMixin, clean: Tensor, noise: Tensor, step: int
    ) -> Tensor:
        """Return clean latents as noisy as they are before a step, at the scheduler's scale."""
        # Schedulers that count their steps look the noise level up where they begin, or are.
        if getattr(scheduler, "step_index", None) is None and hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(step)
        noisy: Tensor = scheduler.add_noise(clean, noise, scheduler.timesteps[step].reshape(1))
        return noisy

    def model_input(self, scheduler: SchedulerMixin, latents: Tensor, timestep: Tensor) -> Tensor:
        """Return the scheduler's latents at unit variance."""
        scaled: Tensor = scheduler.scale_model_input(latents, timestep)
        return scaled

    def alpha_sigma(self, scheduler: SchedulerMixin, timestep: Tensor) -> tuple[float, float]:
        """Return ``alpha`` and ``sigma`` of the U-Net's input at the step about to be taken.

        Args:
            scheduler: With its timesteps set, before ``step`` is called.
            timestep: The one that ``step`` will be called with.
        """
        # Schedulers that keep latents as `x0 + ratio * noise` (Euler, Heun, LMS, KDPM2) divide the
        # U-Net's input by `sqrt(ratio**2 + 1)`, also at their halfway points, whose ratios each of
        # them stores elsewhere; what that does to a one is alpha.
        alpha = float(scheduler.scale_model_input(torch.ones((), dtype=torch.float64), timestep))
        if alpha < 1:
            return alpha, math.sqrt(1 - alpha**2)
        if hasattr(scheduler, "sigmas"):
            # Schedulers of the DPM-Solver family begin to count at the first `step`.
            ratio = float(scheduler.sigmas[scheduler.step_index or scheduler.begin_index or 0])
            return 1 / math.hypot(1, ratio), ratio / math.hypot(1, ratio)
        alpha_squared = float(scheduler.alphas_cumprod[int(timestep)])
        return math.sqrt(alpha_squared), math.sqrt(1 - alpha_squared)

    def predict_x0(
        self, model_input: Tensor, prediction: Tensor, *, alpha: float, sigma: float
    ) -> Tensor:
        """Return x0 in float32, of the same shape as both tensors.

        Args:
            model_input: What the U-Net saw, (batch, channels, height, width).
            prediction: Its output, after guidance.
            alpha: Share of the clean latents in ``model_input``, above 0.
            sigma: Share of the noise in it.
        """
        # At high noise a rounding error of half precision would be blown up tenfold and more.
        x, prediction = model_input.float(), prediction.float()
        if self.prediction_type == "sample":
            return prediction
        if self.prediction_type == "v_prediction":
            # x0 = alpha * x - sigma * v        https://arxiv.org/abs/2202.00512, appendix D
            return alpha * x - sigma * prediction
        # x0 = (x - sigma * noise) / alpha      https://arxiv.org/abs/2010.02502, equation 9
        return (x - sigma * prediction) / alpha

    def scheduler_prediction(
        self,
        scheduler: SchedulerMixin,
        model_input: Tensor,
        prediction: Tensor,
        *,
        alpha: float,
        sigma: float,
    ) -> Tensor:
        """Return the prediction, as a velocity if the scheduler was built for that instead."""
        if scheduler.config.prediction_type == self.prediction_type:
            return prediction
        return velocity(model_input, prediction, alpha=alpha, sigma=sigma)


def velocity(model_input: Tensor, clean: Tensor, *, alpha: float, sigma: float) -> Tensor:
    """Return the velocity that leads to clean latents, of the shape and dtype of both tensors.

    Args:
        model_input: What the U-Net saw, (batch, channels, height, width).
        clean: The latents that it predicts.
        alpha: Share of the clean latents in ``model_input``.
        sigma: Share of the noise in it, above 0.
    """
    # v = (alpha * x - x0) / sigma
    return ((alpha * model_input.float() - clean.float()) / sigma).to(clean.dtype)
