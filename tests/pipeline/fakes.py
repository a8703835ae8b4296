"""Stand-ins for networks whose answer is known beforehand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sheepgen.pipeline.latent_model import TextEmbeds

if TYPE_CHECKING:
    from diffusers import SchedulerMixin
    from torch import Tensor

NO_WORDS = TextEmbeds(hidden_states=torch.zeros(1, 1, 1), guided=False)


class OracleUNet:
    """Knows the clean latents and tells them, or just the noise or velocity that hides them.

    How noisy its input is it reads off the timestep alone, never off the scheduler's state.
    """

    config = SimpleNamespace(in_channels=4, time_cond_proj_dim=None)

    def __init__(
        self, clean: Tensor, scheduler: SchedulerMixin, prediction_type: str = "epsilon"
    ) -> None:
        self.clean = clean
        self.prediction_type = prediction_type
        alphas_cumprod = scheduler.alphas_cumprod.double().numpy()
        self.log_ratios = np.log((1 - alphas_cumprod) / alphas_cumprod) / 2

    def __call__(self, sample: Tensor, timestep: Tensor, **_: Any) -> tuple[Tensor]:
        times = np.arange(len(self.log_ratios))
        ratio = math.exp(np.interp(float(timestep), times, self.log_ratios))
        alpha, sigma = 1 / math.hypot(1, ratio), ratio / math.hypot(1, ratio)
        if self.prediction_type == "sample":
            return (self.clean,)
        noise = (sample - alpha * self.clean) / sigma
        if self.prediction_type == "v_prediction":
            return (alpha * noise - sigma * self.clean,)
        return (noise,)


class ConstantUNet:
    """Predicts one number everywhere, and another one from some call on."""

    config = SimpleNamespace(in_channels=4, time_cond_proj_dim=None)

    def __init__(self, value: float, *, later: float | None = None, since: int = 0) -> None:
        self.value, self.later, self.since = value, later, since
        self.calls = 0

    def parameters(self) -> tuple[()]:
        return ()

    def __call__(self, sample: Tensor, _: Tensor, **__: Any) -> tuple[Tensor]:
        value = self.later if self.later is not None and self.calls >= self.since else self.value
        self.calls += 1
        return (torch.full_like(sample, value),)


class LinearVAE:
    """Each pixel is a linear function of the latent above it."""

    dtype = torch.float32
    config = SimpleNamespace(latent_channels=4, scaling_factor=0.5, block_out_channels=(4,))

    def __init__(self, colours: Tensor, scale: int) -> None:
        self.colours, self.scale = colours, scale

    def decode(self, latents: Tensor, **_: Any) -> tuple[Tensor]:
        pixels = torch.einsum("bchw,cd->bdhw", latents, self.colours)
        return (pixels.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3),)


class BrittleVAE:
    """Returns infinity in any number format that is not among ``good``; else grey."""

    config = SimpleNamespace(latent_channels=4, scaling_factor=0.5, block_out_channels=(4,))

    def __init__(self, dtype: torch.dtype, good: tuple[torch.dtype, ...], scale: int) -> None:
        self.dtype, self.good, self.scale = dtype, good, scale

    def float(self) -> BrittleVAE:
        self.dtype = torch.float32
        return self

    def decode(self, latents: Tensor, **_: Any) -> tuple[Tensor]:
        assert latents.dtype == self.dtype
        value = 0.0 if self.dtype in self.good else math.inf
        batch, _channels, height, width = latents.shape
        return (torch.full((batch, 3, height * self.scale, width * self.scale), value),)
