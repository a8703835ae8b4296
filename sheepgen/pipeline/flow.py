"""Flow matching: straight ways from noise to images, and the schedulers that walk them.

https://arxiv.org/abs/2209.03003 and https://arxiv.org/abs/2210.02747. What the network sees is
``x = (1 - s) * x0 + s * noise``, with ``s`` from 1 to 0; it predicts the velocity
``v = noise - x0``. Large images need more of their steps at high noise, which is what a shift does
(https://arxiv.org/abs/2403.03206, section 5.3.2).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.errors import UsageError
from sheepgen.pipeline.building import component_errors
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.scheduler import check_room, walk
from sheepgen.schedulers import FLOW_SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diffusers import SchedulerMixin
    from torch import Tensor

__all__ = ["FlowProcess", "FlowSchedule", "build_flow_scheduler", "check_flow_steps", "linear_mu"]

_HINT = "Choose another --scheduler or another number of --steps."


class FlowProcess:
    """A `sheepgen.pipeline.family.Process` for models whose networks predict the velocity."""

    def initial_latents(self, scheduler: SchedulerMixin, noise: Tensor) -> Tensor:
        """Return pure noise as it is: a flow begins at unit variance."""
        del scheduler
        return noise

    def add_noise(
        self, scheduler: SchedulerMixin, clean: Tensor, noise: Tensor, step: int
    ) -> Tensor:
        """Return clean latents as noisy as they are before a step."""
        if getattr(scheduler, "step_index", None) is None:
            scheduler.set_begin_index(step)
        timestep = scheduler.timesteps[step].reshape(1)
        noisy: Tensor
        if hasattr(scheduler, "scale_noise"):
            noisy = scheduler.scale_noise(clean, timestep, noise)
        else:
            noisy = scheduler.add_noise(clean, noise, timestep)
        return noisy

    def model_input(self, scheduler: SchedulerMixin, latents: Tensor, timestep: Tensor) -> Tensor:
        """Return the latents as they are."""
        del scheduler, timestep
        return latents

    def alpha_sigma(self, scheduler: SchedulerMixin, timestep: Tensor) -> tuple[float, float]:
        """Return ``1 - s`` and ``s`` of the network's input at the step about to be taken."""
        del timestep
        # Schedulers begin to count at the first `step`.
        sigma = float(scheduler.sigmas[scheduler.step_index or scheduler.begin_index or 0])
        return 1 - sigma, sigma

    def predict_x0(
        self, model_input: Tensor, prediction: Tensor, *, alpha: float, sigma: float
    ) -> Tensor:
        """Return x0 in float32, of the same shape as both tensors."""
        del alpha
        # x0 = x - s * v
        return model_input.float() - sigma * prediction.float()

    def scheduler_prediction(
        self,
        scheduler: SchedulerMixin,
        model_input: Tensor,
        prediction: Tensor,
        *,
        alpha: float,
        sigma: float,
    ) -> Tensor:
        """Return the velocity, which all schedulers of flows take."""
        del scheduler, model_input, alpha, sigma
        return prediction


class FlowSchedule(NamedTuple):
    """How the steps of an image are spread.

    Args:
        mu: Logarithm of the shift, for models that shift by the size.
        sigmas: Noise levels of the steps before the shift, for Euler's method; None for its own.
            The other schedulers always have their own.
    """

    mu: float
    sigmas: Sequence[float] | None = None


def linear_mu(config: Mapping[str, Any], image_tokens: int) -> float:
    """Return the logarithm of the shift for a size, where a model shifts by the size.

    Args:
        config: Of the scheduler; what it leaves out is FLUX.1's.
        image_tokens: Of one image.
    """
    low, high = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    base, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope: float = (most - base) / (high - low)
    # The order of operations is diffusers': its bits decide the first timesteps.
    intercept: float = base - slope * low
    return image_tokens * slope + intercept


def build_flow_scheduler(
    name: str,
    config: Mapping[str, Any],
    num_inference_steps: int,
    schedule: FlowSchedule,
) -> SchedulerMixin:
    """Return a new scheduler for one run, with its timesteps set, on the CPU.

    Args:
        name: A short name of `sheepgen.schedulers.FLOW_SCHEDULERS`.
        config: The scheduler config of the model's folder.
        num_inference_steps: Denoising steps.
        schedule: How the model's family spreads the steps.

    Raises:
        UsageError: If so many steps do not fit the schedule.
    """
    import diffusers

    form = FLOW_SCHEDULERS[name]
    scheduler_class = getattr(diffusers, form.class_name)
    if config.get("_class_name", form.class_name) == form.class_name:
        settings = dict(config)
    else:
        settings = {
            "num_train_timesteps": config.get("num_train_timesteps", 1000),
            "flow_shift" if "use_flow_sigmas" in form.overrides else "shift": _shift(
                config, schedule.mu
            ),
        }
    scheduler = scheduler_class.from_config(settings, **form.overrides)
    check_room(scheduler, num_inference_steps)
    if num_inference_steps == 1 and scheduler.config.get("shift_terminal"):
        raise UsageError(
            "1 step does not fit this model's schedule, which ends above zero.",
            "Ask for 2 steps or more, or choose another --scheduler.",
        )
    by_size = {"mu": schedule.mu} if scheduler.config.get("use_dynamic_shifting") else {}
    if name == "euler" and schedule.sigmas is not None:
        scheduler.set_timesteps(sigmas=schedule.sigmas, device="cpu", **by_size)
    else:
        scheduler.set_timesteps(num_inference_steps, device="cpu", **by_size)
    scheduler.set_begin_index(0)
    return scheduler


def _shift(config: Mapping[str, Any], mu: float) -> float:
    """Return the factor that a model's own schedule shifts by, ``s' = f * s / (1 + (f-1) * s)``."""
    if not config.get("use_dynamic_shifting"):
        return float(config.get("shift", config.get("flow_shift", 1.0)))
    return mu if config.get("time_shift_type") == "linear" else math.exp(mu)


def check_flow_steps(name: str, scheduler: SchedulerMixin) -> None:
    """Go through all steps of a scheduler with a velocity that is always zero.

    Raises:
        ModelError: If the scheduler cannot be used with the model's config.
    """
    with quiet_libraries(), component_errors(f"scheduler config, read as {name},", _HINT):
        walk(name, scheduler)
