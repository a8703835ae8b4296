"""The scheduler of a run: built, its timesteps set, and tried out before weights are loaded."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.errors import ModelError, UsageError
from sheepgen.pipeline.building import component_errors
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.schedulers import SCHEDULERS, prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diffusers import SchedulerMixin

    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "arguments_for",
    "build_scheduler",
    "check_room",
    "check_steps",
    "learns_variance",
    "rehearse",
    "set_timesteps",
    "step_arguments",
    "walk",
]

_HINT = "Choose another --scheduler or another number of --steps."

_MODEL_SETTINGS = frozenset(
    {
        "beta_end",
        "beta_schedule",
        "beta_start",
        "clip_sample",
        "clip_sample_range",
        "dynamic_thresholding_ratio",
        "num_train_timesteps",
        "prediction_type",
        "rescale_betas_zero_snr",
        "sample_max_value",
        "set_alpha_to_one",
        "steps_offset",
        "thresholding",
        "timestep_spacing",
        "trained_betas",
    }
)
"""What a scheduler config says about the model, under the same names for every class. The other
settings are those of one class, and may mean something else for another (``solver_order``)."""


def build_scheduler(
    name: str,
    config: Mapping[str, Any],
    *,
    steps_offset: int | None = 1,
    clip_sample: bool | None = False,
) -> SchedulerMixin:
    """Return a new scheduler for one run; schedulers keep state, so none is used twice.

    If the model predicts clean latents and this one cannot take them, it is built to take the
    velocity; `sheepgen.pipeline.process.DiffusionProcess` converts.

    Args:
        name: A short name.
        config: The scheduler config of the model's folder, of any class.
        steps_offset: In place of the config's, with which the first step of Stable Diffusion's
            models would land on the untrained timestep; None leaves it.
        clip_sample: In place of the config's: latents are not confined to [-1, 1]. None, for
            pixels, leaves it.

    Raises:
        ModelError: If the model predicts none of `PREDICTION_TYPES`.
    """
    import diffusers

    spec = SCHEDULERS[name]
    scheduler_class = getattr(diffusers, spec.class_name)
    if config.get("_class_name", spec.class_name) != spec.class_name:
        config = {
            key: value
            for key, value in config.items()
            if key in _MODEL_SETTINGS or key.startswith("_")
        }
    if prediction_type_of(config) == "sample" and not spec.takes_sample:
        config = {**config, "prediction_type": "v_prediction"}
    # `from_config` leaves out what a class does not know.
    settings = {"steps_offset": steps_offset, "clip_sample": clip_sample}
    forced = {key: value for key, value in settings.items() if value is not None}
    return scheduler_class.from_config(dict(config), **spec.overrides, **forced)


def arguments_for(
    request: ResolvedRequest, generators: Sequence[torch.Generator]
) -> dict[str, Any]:
    """Return what of a request the scheduler's ``step`` takes, see `step_arguments`."""
    return step_arguments(request.scheduler, eta=request.eta, generators=generators)


def step_arguments(
    name: str, *, eta: float = 0.0, generators: Sequence[torch.Generator]
) -> dict[str, Any]:
    """Return those of ``eta`` and ``generator`` that the scheduler's ``step`` takes.

    Args:
        name: A short name.
        eta: Share of fresh noise, 0 to 1.
        generators: One for each image of the batch, so that no image depends on the others.
    """
    spec = SCHEDULERS[name]
    offered = {"eta": (spec.takes_eta, eta), "generator": (spec.takes_generator, [*generators])}
    return {key: value for key, (taken, value) in offered.items() if taken}


def learns_variance(scheduler: SchedulerMixin) -> bool:
    """Return whether a scheduler takes the noise's variance, predicted beside the noise."""
    return getattr(scheduler.config, "variance_type", None) in ("learned", "learned_range")


def set_timesteps(scheduler: SchedulerMixin, num_inference_steps: int) -> torch.Tensor:
    """Spread the steps over the schedule and return the timesteps, (total_steps,), on the CPU.

    Schedulers read them as numbers at every step, for which nothing has to wait there.

    There are more timesteps than steps if a scheduler takes a step in two halves (Heun, KDPM2) or
    warms up (PNDM). The noise's scale depends on them: set them before the latents.

    Raises:
        UsageError: If the schedule has no room for so many steps.
    """
    check_room(scheduler, num_inference_steps)
    trained: int = scheduler.config.num_train_timesteps
    scheduler.set_timesteps(num_inference_steps, device="cpu")
    timesteps: torch.Tensor = scheduler.timesteps
    # Rounding drives the largest step counts beyond the last trained timestep, or onto one.
    if timesteps[0] >= trained or (len(timesteps) > 1 and timesteps[0] <= timesteps[-1]):
        raise _too_many(scheduler, num_inference_steps)
    # Otherwise a scheduler looks up where it is by the first timestep and, if rounding made the
    # second one equal, begins at the second and runs past the end.
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return timesteps


def check_room(scheduler: SchedulerMixin, num_inference_steps: int) -> None:
    """Refuse more steps than a model's schedule has timesteps.

    Raises:
        UsageError: If there are more.
    """
    if num_inference_steps > scheduler.config.num_train_timesteps:
        raise _too_many(scheduler, num_inference_steps)


def _too_many(scheduler: SchedulerMixin, num_inference_steps: int) -> UsageError:
    return UsageError(
        f"{num_inference_steps} steps of {type(scheduler).__name__} do not fit this model's "
        f"schedule of {scheduler.config.num_train_timesteps} timesteps.",
        "Ask for fewer steps.",
    )


def check_steps(
    name: str,
    config: Mapping[str, Any],
    num_inference_steps: int,
    *,
    steps_offset: int | None = 1,
    clip_sample: bool | None = False,
) -> None:
    """Do what `rehearse` does, once for each scheduler, config and number of steps."""
    text = json.dumps(config, sort_keys=True)
    _check(name, text, num_inference_steps, steps_offset=steps_offset, clip_sample=clip_sample)


@lru_cache(maxsize=256)
def _check(name: str, config: str, num_inference_steps: int, **settings: Any) -> None:  # noqa: ANN401
    rehearse(name, json.loads(config), num_inference_steps, **settings)


def rehearse(
    name: str,
    config: Mapping[str, Any],
    num_inference_steps: int,
    *,
    steps_offset: int | None = 1,
    clip_sample: bool | None = False,
) -> None:
    """Go through all steps with a prediction that is always zero.

    Args:
        name: A short name of `sheepgen.schedulers.SCHEDULERS`.
        config: The scheduler config of the model's folder, of any class.
        num_inference_steps: Denoising steps.
        steps_offset: As for `build_scheduler`.
        clip_sample: Likewise.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If the scheduler cannot be used with this config.
    """
    with quiet_libraries(), component_errors(f"scheduler config, read as {name},", _HINT):
        scheduler = build_scheduler(
            name, config, steps_offset=steps_offset, clip_sample=clip_sample
        )
        set_timesteps(scheduler, num_inference_steps)
        walk(name, scheduler)


def walk(name: str, scheduler: SchedulerMixin) -> None:
    """Take all steps of a scheduler, its timesteps set, with a prediction that is always zero.

    Args:
        name: Its short name.
        scheduler: On the CPU; it is of no use afterwards.

    Raises:
        ModelError: If it overflows.
    """
    arguments = step_arguments(name, generators=[torch.Generator("cpu").manual_seed(0)])
    sample = torch.ones(1, 1, 1, 1) * getattr(scheduler, "init_noise_sigma", 1.0)
    for timestep in scheduler.timesteps:
        seen = sample
        if hasattr(scheduler, "scale_model_input"):  # flow matching has none
            seen = scheduler.scale_model_input(sample, timestep)
        prediction = torch.zeros_like(seen)
        if learns_variance(scheduler):
            prediction = torch.cat([prediction] * 2, dim=1)
        sample = scheduler.step(prediction, timestep, sample, **arguments, return_dict=False)[0]
    if not sample.isfinite().all():
        raise ModelError(
            f"The scheduler {name} overflows in {scheduler.num_inference_steps} steps of this "
            "model's schedule.",
            _HINT,
        )
