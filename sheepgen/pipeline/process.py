"""The model's estimate of the clean latents, x0, at any step of any scheduler, and back from it.

What the U-Net sees is ``x = alpha * x0 + sigma * noise`` with ``alpha**2 + sigma**2 == 1``,
whatever scale a scheduler keeps its own latents in. From ``x`` and the guided prediction,

    noise     x0 = (x - sigma * prediction) / alpha    https://arxiv.org/abs/2010.02502, eq. 9
    velocity  x0 = alpha * x - sigma * prediction      https://arxiv.org/abs/2202.00512, app. D
    sample    x0 = prediction

so that one formula serves every scheduler, and none of them is stepped twice for a look.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers import SchedulerMixin
    from torch import Tensor

__all__ = ["alpha_sigma", "predict_x0", "velocity"]


def alpha_sigma(scheduler: SchedulerMixin, timestep: Tensor) -> tuple[float, float]:
    """Return ``alpha`` and ``sigma`` of the U-Net's input at the step that is about to be taken.

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
        ratio = float(scheduler.sigmas[scheduler.step_index or 0])
        return 1 / math.hypot(1, ratio), ratio / math.hypot(1, ratio)
    alpha_squared = float(scheduler.alphas_cumprod[int(timestep)])
    return math.sqrt(alpha_squared), math.sqrt(1 - alpha_squared)


def predict_x0(
    model_input: Tensor, prediction: Tensor, prediction_type: str, *, alpha: float, sigma: float
) -> Tensor:
    """Return x0 in float32, of the same shape as both tensors.

    Args:
        model_input: What the U-Net saw, (batch, channels, height, width).
        prediction: What it made of it, after guidance.
        prediction_type: One of `sheepgen.schedulers.PREDICTION_TYPES`.
        alpha: Share of the clean latents in ``model_input``, above 0.
        sigma: Share of the noise in it.
    """
    # At high noise a rounding error of half a format would be blown up tenfold and more.
    x, prediction = model_input.float(), prediction.float()
    if prediction_type == "sample":
        return prediction
    if prediction_type == "v_prediction":
        return alpha * x - sigma * prediction
    return (x - sigma * prediction) / alpha


def velocity(model_input: Tensor, clean: Tensor, *, alpha: float, sigma: float) -> Tensor:
    """Return the velocity that leads to clean latents, of the shape and dtype of both tensors.

    Args:
        model_input: What the U-Net saw, (batch, channels, height, width).
        clean: The latents that it predicts.
        alpha: Share of the clean latents in ``model_input``.
        sigma: Share of the noise in it, above 0.
    """
    return ((alpha * model_input.float() - clean.float()) / sigma).to(clean.dtype)
