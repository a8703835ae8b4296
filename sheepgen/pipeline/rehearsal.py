"""All steps of a scheduler, tried on a single number before any weights are loaded.

Whether a scheduler works with a model's schedule and a number of steps, only its own code knows: it
may look for a timestep after the last one, or for an algorithm that it does not have. To try it
takes milliseconds; to find out later costs a picture.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.checkpoint import read_checkpoint
from sheepgen.errors import ModelError
from sheepgen.pipeline.building import component_errors
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.timesteps import set_timesteps
from sheepgen.schedulers import build_scheduler, step_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.catalog import ModelSpec
    from sheepgen.request import GenerationRequest

__all__ = ["check_schedule", "rehearse"]


_HINT = "Choose another --scheduler or another number of --steps."


def check_schedule(spec: ModelSpec, request: GenerationRequest) -> None:
    """Check that a resolved request's scheduler gets through its steps with this model's schedule.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If the scheduler cannot be used with this model.
    """
    assert request.scheduler is not None
    assert request.num_inference_steps is not None
    _check(spec.folder, spec.sha256, request.scheduler, request.num_inference_steps)


@lru_cache(maxsize=256)
def _check(folder: Path, _sha256: str, name: str, num_inference_steps: int) -> None:
    rehearse(name, read_checkpoint(folder).configs["scheduler"], num_inference_steps)


def rehearse(name: str, config: Mapping[str, Any], num_inference_steps: int) -> None:
    """Go through all steps with a prediction that is always zero.

    Args:
        name: A short name of `sheepgen.schedulers.SCHEDULERS`.
        config: The scheduler config of the model's folder, of whatever class.
        num_inference_steps: Denoising steps.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If the scheduler cannot be used with this config.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    arguments = step_arguments(name, eta=0.0, generators=[generator])
    with quiet_libraries(), component_errors(f"scheduler config, read as {name},", _HINT):
        scheduler = build_scheduler(name, config)
        timesteps = set_timesteps(scheduler, num_inference_steps, torch.device("cpu"))
        sample = torch.ones(1, 1, 1, 1) * scheduler.init_noise_sigma
        for timestep in timesteps:
            seen = scheduler.scale_model_input(sample, timestep)
            prediction = torch.zeros_like(seen)
            sample = scheduler.step(prediction, timestep, sample, **arguments, return_dict=False)[0]
    if not sample.isfinite().all():
        raise ModelError(
            f"The scheduler {name} overflows in {num_inference_steps} steps of this model's "
            "schedule.",
            _HINT,
        )
