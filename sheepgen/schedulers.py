"""The schedulers, one row each.

A row says which diffusers class, with which settings, and what others call it. Adding a scheduler
is adding a row; the tests hold every row to diffusers' own pipeline bit for bit. Left out on
purpose: ``IPNDMScheduler`` counts time from 1 to 0, which no Stable Diffusion U-Net was trained on,
and ``DPMSolverSDEScheduler`` needs one more package and draws its noise from a generator of its
own, so that the seed would not fix the picture.

`sheepgen.scheduler_names` understands their names, `sheepgen.pipeline.scheduler` builds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.errors import ModelError, UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FLOW_SCHEDULERS",
    "OWN_SCHEDULER",
    "PREDICTION_TYPES",
    "SCHEDULERS",
    "SchedulerSpec",
    "check_flow_scheduler",
    "check_step_count",
    "prediction_type_of",
    "scheduler_name_for",
    "steps_taken",
    "strength_of",
    "timesteps_taken",
]

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
"""What a U-Net may predict here, in diffusers' words: the noise, the velocity of
https://arxiv.org/abs/2202.00512, or the clean latents."""

OWN_SCHEDULER = "own"
"""Stands for a model's own scheduler as its folder has it, with which diffusers' pipelines run."""

_UNIFORM = {
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
}
_KARRAS = _UNIFORM | {"use_karras_sigmas": True}
_DPMPP_2M = {"algorithm_type": "dpmsolver++", "solver_order": 2}
_DPMPP_2M_SDE = {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}
_DPMPP_3M_SDE = {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}
# Where the last sigma is zero diffusers switches `lower_order_final` on anyway, with a warning.
_DPMPP_2S = {"algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": True}
# Distilled models know 50 points of the schedule; there are no steps between them.
_DISTILLED = {"original_inference_steps": 50}


@dataclass(frozen=True, kw_only=True, slots=True)
class SchedulerSpec:
    """One row of the table.

    Args:
        class_name: The class in diffusers.
        overrides: What is set on top of the model's own scheduler config.
        sampler: What Stable Diffusion web UI calls the algorithm.
        schedule_type: What it calls the spacing of the noise levels. It is never left to
            "Automatic" where that means Karras over there.
        aliases: Spellings that are understood besides the short name and the web UI's.
        takes_eta: Whether ``step`` has an ``eta``.
        takes_generator: Whether ``step`` has a ``generator``; it may draw nothing from it.
        adds_noise: Whether its steps add fresh noise; with ``takes_eta``, those with an ``eta`` do.
        takes_sample: Whether it takes a prediction of the clean latents. For others that is
            converted to a velocity.
        max_steps: Most inference steps, or None where only the model's training sets a limit.
        order: Timesteps for each step but the last, which has one.
        warm_up: Further timesteps, where there is more than one step.
    """

    class_name: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    sampler: str
    schedule_type: str = "Automatic"
    aliases: tuple[str, ...] = ()
    takes_eta: bool = False
    takes_generator: bool = False
    adds_noise: bool = False
    takes_sample: bool = True
    max_steps: int | None = None
    order: int = 1
    warm_up: int = 0

    def draws_noise(self, eta: float) -> bool:
        """Return whether its steps depend on the seed."""
        return self.adds_noise or (self.takes_eta and eta > 0)


def _with_karras(name: str, **row: Any) -> dict[str, SchedulerSpec]:  # noqa: ANN401
    """Return two rows: noise levels as the model spaces them, and as Karras et al. do.

    https://arxiv.org/abs/2206.00364, equation 5.
    """
    spec = SchedulerSpec(**row)
    return {
        name: replace(spec, overrides={**spec.overrides, **_UNIFORM}, schedule_type="Uniform"),
        f"{name}_karras": replace(
            spec,
            overrides={**spec.overrides, **_KARRAS},
            schedule_type="Karras",
            aliases=tuple(f"{alias} Karras" for alias in spec.aliases),
        ),
    }


SCHEDULERS: Mapping[str, SchedulerSpec] = MappingProxyType(
    {
        "ddim": SchedulerSpec(
            class_name="DDIMScheduler", sampler="DDIM", takes_eta=True, takes_generator=True
        ),
        "ddpm": SchedulerSpec(
            class_name="DDPMScheduler", sampler="DDPM", takes_generator=True, adds_noise=True
        ),
        "pndm": SchedulerSpec(
            class_name="PNDMScheduler",
            overrides={"skip_prk_steps": True},
            sampler="PLMS",
            takes_sample=False,
            warm_up=1,
        ),
        **_with_karras(
            "euler",
            class_name="EulerDiscreteScheduler",
            sampler="Euler",
            aliases=("k_euler",),
            takes_generator=True,
        ),
        "euler_a": SchedulerSpec(
            class_name="EulerAncestralDiscreteScheduler",
            sampler="Euler a",
            schedule_type="Uniform",
            aliases=("euler_ancestral", "k_euler_a"),
            takes_generator=True,
            adds_noise=True,
            takes_sample=False,
        ),
        **_with_karras(
            "heun", class_name="HeunDiscreteScheduler", sampler="Heun", aliases=("k_heun",), order=2
        ),
        **_with_karras("lms", class_name="LMSDiscreteScheduler", sampler="LMS", aliases=("k_lms",)),
        **_with_karras(
            "kdpm2",
            class_name="KDPM2DiscreteScheduler",
            sampler="DPM2",
            aliases=("k_dpm_2",),
            takes_sample=False,
            order=2,
        ),
        **_with_karras(
            "kdpm2_a",
            class_name="KDPM2AncestralDiscreteScheduler",
            sampler="DPM2 a",
            aliases=("kdpm2_ancestral", "k_dpm_2_a"),
            takes_generator=True,
            adds_noise=True,
            takes_sample=False,
            order=2,
        ),
        **_with_karras(
            "dpmpp_2m",
            class_name="DPMSolverMultistepScheduler",
            overrides=_DPMPP_2M,
            sampler="DPM++ 2M",
            takes_generator=True,
        ),
        **_with_karras(
            "dpmpp_2m_sde",
            class_name="DPMSolverMultistepScheduler",
            overrides=_DPMPP_2M_SDE,
            sampler="DPM++ 2M SDE",
            takes_generator=True,
            adds_noise=True,
        ),
        **_with_karras(
            "dpmpp_3m_sde",
            class_name="DPMSolverMultistepScheduler",
            overrides=_DPMPP_3M_SDE,
            sampler="DPM++ 3M SDE",
            takes_generator=True,
            adds_noise=True,
        ),
        **_with_karras(
            "dpmpp_2s",
            class_name="DPMSolverSinglestepScheduler",
            overrides=_DPMPP_2S,
            sampler="DPM++ 2S",
            takes_generator=True,
        ),
        "unipc": SchedulerSpec(
            class_name="UniPCMultistepScheduler", overrides=_UNIFORM, sampler="UniPC"
        ),
        "deis": SchedulerSpec(
            class_name="DEISMultistepScheduler", overrides=_UNIFORM, sampler="DEIS"
        ),
        "sa_solver": SchedulerSpec(
            class_name="SASolverScheduler",
            overrides=_UNIFORM,
            sampler="SA Solver",
            takes_generator=True,
            adds_noise=True,
        ),
        "lcm": SchedulerSpec(
            class_name="LCMScheduler",
            overrides=_DISTILLED,
            sampler="LCM",
            takes_generator=True,
            adds_noise=True,
            max_steps=50,
        ),
        "tcd": SchedulerSpec(
            class_name="TCDScheduler",
            overrides=_DISTILLED,
            sampler="TCD",
            takes_eta=True,
            takes_generator=True,
            max_steps=50,
        ),
    }
)


class FlowForm(NamedTuple):
    """What a scheduler is in diffusers for models that are flows.

    Args:
        class_name: The class.
        overrides: What is set on top of the model's own scheduler config.
    """

    class_name: str
    overrides: Mapping[str, Any]


_FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}

FLOW_SCHEDULERS: Mapping[str, FlowForm] = MappingProxyType(
    {
        "euler": FlowForm("FlowMatchEulerDiscreteScheduler", _UNIFORM),
        "heun": FlowForm("FlowMatchHeunDiscreteScheduler", {}),
        "dpmpp_2m": FlowForm("DPMSolverMultistepScheduler", _DPMPP_2M | _UNIFORM | _FLOW),
        "dpmpp_2m_sde": FlowForm("DPMSolverMultistepScheduler", _DPMPP_2M_SDE | _UNIFORM | _FLOW),
        "unipc": FlowForm("UniPCMultistepScheduler", _UNIFORM | _FLOW),
    }
)
"""The schedulers of flow models (https://arxiv.org/abs/2210.02747), by the names of the algorithms
in `SCHEDULERS`. Of diffusers' others, DEIS leaves noise in the image at the end of a flow."""


def scheduler_name_for(
    class_name: str, config: Mapping[str, Any], *, is_flow: bool = False
) -> str | None:
    """Return the short name of a model folder's own scheduler, or None if no row fits it.

    Settings that the folder does not mention are taken to be the row's: older folders lack
    what came later.
    """
    rows: Mapping[str, SchedulerSpec | FlowForm] = FLOW_SCHEDULERS if is_flow else SCHEDULERS
    for name, row in rows.items():
        if row.class_name == class_name and all(
            config.get(key, value) == value for key, value in row.overrides.items()
        ):
            return name
    return None


def check_flow_scheduler(name: str) -> None:
    """Refuse a scheduler that has no form for flow models.

    Raises:
        UsageError: If it has none.
    """
    if name not in FLOW_SCHEDULERS:
        raise UsageError(
            f"The scheduler {name} cannot be used with this model, which is a flow model.",
            f"Use one of {', '.join(FLOW_SCHEDULERS)}.",
        )


def check_step_count(name: str, num_inference_steps: int) -> None:
    """Refuse more steps than the scheduler can take.

    Raises:
        UsageError: If there are too many.
    """
    most = None if name == OWN_SCHEDULER else SCHEDULERS[name].max_steps
    if most is not None and num_inference_steps > most:
        raise UsageError(
            f"The scheduler {name} takes at most {most} steps, not {num_inference_steps}.",
            f"Use at most {most} steps, or another scheduler.",
        )


def steps_taken(num_inference_steps: int, strength: float | None) -> int:
    """Return how many of the steps a strength leaves, as diffusers counts; None leaves all."""
    return num_inference_steps if strength is None else int(num_inference_steps * strength)


def strength_of(num_inference_steps: int, taken: int) -> float:
    """Return the shortest strength that leaves so many of the steps.

    Args:
        num_inference_steps: Of the whole schedule.
        taken: 1 to as many.
    """
    for digits in range(1, 6):  # 5 digits tell 1000 steps apart
        scale = 10**digits
        strength: float = -(-taken * scale // num_inference_steps) / scale
        if strength <= 1 and steps_taken(num_inference_steps, strength) == taken:
            return strength
    raise AssertionError("5 digits tell as many steps apart as there can be")


def timesteps_taken(name: str, num_inference_steps: int, taken: int) -> int:
    """Return how many timesteps a scheduler goes through in the last of its steps.

    Args:
        name: A short name.
        num_inference_steps: Of the whole schedule.
        taken: How many of these, 1 to all.
    """
    spec = SCHEDULERS[name]
    warm_up = spec.warm_up if num_inference_steps > 1 else 0
    return spec.order * taken - (spec.order - 1) + warm_up


def prediction_type_of(config: Mapping[str, Any]) -> str:
    """Return which of `PREDICTION_TYPES` a model with this scheduler config predicts.

    Raises:
        ModelError: If it predicts something else.
    """
    prediction_type: str = config.get("prediction_type", "epsilon")
    if prediction_type not in PREDICTION_TYPES:
        raise ModelError(
            f"The model predicts {excerpt(prediction_type)}, which sheepgen does not support.",
            f"Supported are {', '.join(PREDICTION_TYPES)}.",
        )
    return prediction_type
