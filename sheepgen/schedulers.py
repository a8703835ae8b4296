"""Choosing a scheduler by name, and building it late: diffusers is imported only then."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError, UsageError
from sheepgen.scheduler_table import SCHEDULERS, SchedulerSpec
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from diffusers import SchedulerMixin

__all__ = [
    "PREDICTION_TYPES",
    "SCHEDULERS",
    "SchedulerSpec",
    "build_scheduler",
    "canonical_scheduler_name",
    "check_step_count",
    "prediction_type_of",
    "scheduler_name_for",
    "step_arguments",
]

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
"""What a U-Net may predict here, in diffusers' words: the noise, the velocity of
https://arxiv.org/abs/2202.00512, or the clean latents."""


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
"""What a scheduler config says of the model, in the same words for every class. The rest is one
class's own: its ``algorithm_type`` is no other's, and its ``solver_order`` may be."""


def _spelling(name: str) -> str:
    """Return what of a name counts: its letters and digits, with "+" read as "p"."""
    return "".join(filter(str.isalnum, name.casefold().replace("+", "p")))


def _names_by_spelling() -> dict[str, str]:
    names: dict[str, str] = {}
    for name, spec in SCHEDULERS.items():
        known = [name, f"{spec.sampler} {spec.schedule_type}", *spec.aliases]
        if spec.schedule_type != "Karras":
            known.append(spec.sampler)
        names |= dict.fromkeys(map(_spelling, known), name)
    return names


_NAMES = _names_by_spelling()


def canonical_scheduler_name(name: str) -> str:
    """Return the short name that ``name`` stands for.

    Upper and lower case, spaces, hyphens and underscores do not matter; the web UI's names such
    as "DPM++ 2M Karras" are understood.

    Raises:
        UsageError: If there is no such scheduler; the hint names the nearest ones.
    """
    spelling = _spelling(name)
    if spelling in _NAMES:
        return _NAMES[spelling]
    close = get_close_matches(spelling, _NAMES, n=3, cutoff=0.5)
    nearest = ", ".join(dict.fromkeys(_NAMES[match] for match in close))
    raise UsageError(
        f"There is no scheduler {excerpt(name)}.",
        (f"Nearest: {nearest}. " if nearest else "") + "`sheepgen schedulers` lists them all.",
    )


def scheduler_name_for(class_name: str, config: Mapping[str, Any]) -> str | None:
    """Return the short name of a model folder's own scheduler, or None if no row fits it.

    Settings that the folder does not mention are taken to be the row's: older folders lack
    what came later.
    """
    for name, spec in SCHEDULERS.items():
        if spec.class_name == class_name and all(
            config.get(key, value) == value for key, value in spec.overrides.items()
        ):
            return name
    return None


def check_step_count(name: str, num_inference_steps: int) -> None:
    """Refuse more steps than the scheduler can take.

    Raises:
        UsageError: If there are too many.
    """
    most = SCHEDULERS[name].max_steps
    if most is not None and num_inference_steps > most:
        raise UsageError(
            f"The scheduler {name} takes at most {most} steps, not {num_inference_steps}.",
            "It is made for 1 to 8 of them.",
        )


def prediction_type_of(config: Mapping[str, Any]) -> str:
    """Return which of `PREDICTION_TYPES` a model with this scheduler config predicts.

    Raises:
        ModelError: If it predicts something else.
    """
    prediction_type: str = config.get("prediction_type", "epsilon")
    if prediction_type not in PREDICTION_TYPES:
        raise ModelError(
            f"The model predicts {excerpt(prediction_type)}, which sheepgen cannot draw with.",
            f"It reads models that predict {' or '.join(PREDICTION_TYPES)}.",
        )
    return prediction_type


def build_scheduler(name: str, config: Mapping[str, Any]) -> SchedulerMixin:
    """Return a fresh scheduler for one run; it keeps state, so that none is ever used twice.

    If the model predicts clean latents and this one cannot take them, it is built to take the
    velocity; the loop converts.

    Args:
        name: A short name.
        config: The scheduler config of the model's folder, of whatever class.

    Raises:
        ModelError: If the model predicts something else than `PREDICTION_TYPES`.
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
    # StableDiffusionPipeline forces these two on any scheduler it is given: latents are not
    # confined to [-1, 1], and the first step must not land on the untrained timestep.
    # `from_config` leaves out what a class does not know.
    return scheduler_class.from_config(
        dict(config), **spec.overrides, steps_offset=1, clip_sample=False
    )


def step_arguments(
    name: str, *, eta: float, generators: Sequence[torch.Generator]
) -> dict[str, Any]:
    """Return those of ``eta`` and ``generator`` that the scheduler's ``step`` takes.

    Args:
        name: A short name.
        eta: Share of fresh noise.
        generators: One for each image of the batch, so that none depends on its company.
    """
    spec = SCHEDULERS[name]
    offered = {"eta": (spec.takes_eta, eta), "generator": (spec.takes_generator, [*generators])}
    return {key: value for key, (taken, value) in offered.items() if taken}
