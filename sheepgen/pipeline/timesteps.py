"""The times at which a scheduler asks the U-Net, checked against what the U-Net was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.errors import UsageError

if TYPE_CHECKING:
    import torch
    from diffusers import SchedulerMixin

__all__ = ["set_timesteps"]


def set_timesteps(
    scheduler: SchedulerMixin, num_inference_steps: int, device: torch.device
) -> torch.Tensor:
    """Spread the steps over the schedule and return the timesteps, (total_steps,).

    There are more timesteps than steps where a scheduler takes a step in two halves (Heun,
    KDPM2) or warms up (PNDM). The noise's scale depends on them: set them before the latents.

    Raises:
        UsageError: If the schedule has no room for so many steps.
    """
    trained: int = scheduler.config.num_train_timesteps
    if num_inference_steps > trained:
        raise _too_many(scheduler, num_inference_steps)
    scheduler.set_timesteps(num_inference_steps, device=device)
    timesteps: torch.Tensor = scheduler.timesteps
    # Rounding drives the largest step counts beyond the last trained timestep, or onto one.
    if timesteps[0] >= trained or (len(timesteps) > 1 and timesteps[0] <= timesteps[-1]):
        raise _too_many(scheduler, num_inference_steps)
    # Else a scheduler looks its place up by the first timestep and, should rounding have made
    # the second one equal, begins at the second and runs off the end.
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return timesteps


def _too_many(scheduler: SchedulerMixin, num_inference_steps: int) -> UsageError:
    return UsageError(
        f"{num_inference_steps} steps of {type(scheduler).__name__} do not fit on this model's "
        f"schedule of {scheduler.config.num_train_timesteps} timesteps.",
        "Ask for fewer steps.",
    )
