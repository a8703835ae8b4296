"""Every scheduler with every scheduler's config: it draws, or is refused before anything loads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import diffusers
import pytest
import torch

from sheepgen.errors import ModelError, UsageError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import check_schedule
from sheepgen.pipeline.scheduler import (
    build_scheduler,
    rehearse,
    set_timesteps,
    step_arguments,
)
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import SCHEDULERS
from tests.tiny import edit_json, tiny_scheduler

if TYPE_CHECKING:
    from pathlib import Path

TRAINED = 50
"""Timesteps: KDPM2 takes a second to be built for 1000, and LCM needs 50."""


def saved_config(name: str, **settings: Any) -> dict[str, Any]:
    """Return what a folder has whose own scheduler is this one."""
    spec = SCHEDULERS[name]
    scheduler_class = getattr(diffusers, spec.class_name)
    model = {**tiny_scheduler(num_train_timesteps=TRAINED).config, **settings}
    own = scheduler_class.from_config(model, **spec.overrides)
    config: dict[str, Any] = json.loads(own.to_json_string())
    return config


CONFIGS = {name: saved_config(name) for name in SCHEDULERS if not name.endswith("_karras")}


def draw(name: str, config: dict[str, Any], steps: int) -> torch.Tensor:
    """Go through the loop as a picture does, on four numbers."""
    generator = torch.Generator().manual_seed(0)
    scheduler = build_scheduler(name, config)
    timesteps = set_timesteps(scheduler, steps)
    latents: torch.Tensor = torch.randn(1, 1, 2, 2, generator=generator)
    latents = latents * scheduler.init_noise_sigma
    arguments = step_arguments(name, eta=0.5, generators=[generator])
    for timestep in timesteps:
        seen = scheduler.scale_model_input(latents, timestep)
        latents = scheduler.step(0.5 * seen, timestep, latents, **arguments, return_dict=False)[0]
    return latents


def refusal(name: str, config: dict[str, Any], steps: int) -> str | None:
    """Return what a rehearsal says against it, or None."""
    try:
        rehearse(name, config, steps)
    except (ModelError, UsageError) as error:
        return error.message
    return None


@pytest.mark.parametrize("folder", CONFIGS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_scheduler_takes_every_schedulers_config(folder: str, steps: int) -> None:
    refused = {name: refusal(name, CONFIGS[folder], steps) for name in SCHEDULERS}
    assert refused == dict.fromkeys(SCHEDULERS)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_is_not_refused_draws(name: str) -> None:
    for folder, steps in (("ddim", 1), ("unipc", 2), ("sa_solver", 7), ("dpmpp_2m_sde", 20)):
        assert draw(name, CONFIGS[folder], steps).isfinite().all(), folder


@pytest.mark.parametrize(
    ("trained", "folder"), [(TRAINED, folder) for folder in CONFIGS] + [(1000, "ddim")]
)
def test_a_whole_schedule_is_gone_through_or_refused_by_name(trained: int, folder: str) -> None:
    config = saved_config(folder, num_train_timesteps=trained)
    # For a thousand steps LMS and KDPM2 take seconds.
    slow = ("kdpm2", "lms") if trained > TRAINED else ()
    for name in (name for name in SCHEDULERS if not name.startswith(slow or ("-",))):
        said = refusal(name, config, trained)
        assert said is None or name in said or SCHEDULERS[name].class_name in said


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_folders_own_settings_stay_with_its_own_class(name: str) -> None:
    own = SCHEDULERS[name].class_name
    for folder, config in CONFIGS.items():
        built = build_scheduler(name, config).config
        plain = build_scheduler(name, CONFIGS["ddim"]).config
        if SCHEDULERS[folder].class_name != own:
            for setting in built.keys() - CONFIGS["ddim"].keys() - {"_use_default_values"}:
                assert built[setting] == plain[setting], (folder, setting)


def test_the_class_that_a_config_is_of_keeps_its_settings() -> None:
    config = saved_config("dpmpp_2m") | {"solver_type": "heun", "euler_at_final": True}
    built = build_scheduler("dpmpp_2m_karras", config).config
    assert (built.solver_type, built.euler_at_final) == ("heun", True)
    assert build_scheduler("unipc", config).config.solver_type == "bh2"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"beta_start": "abc"},
        {"beta_start": None},
        {"beta_schedule": "no such schedule"},
        {"num_train_timesteps": None},
        {"timestep_spacing": "no such spacing"},
        {"trained_betas": []},
        {"trained_betas": ["a"]},
        {"trained_betas": {}},
    ],
)
@pytest.mark.parametrize("name", ["ddim", "euler", "dpmpp_2m", "unipc"])
def test_a_config_without_sense_is_the_models_fault(name: str, nonsense: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=rf"scheduler config.* {name}") as error:
        rehearse(name, CONFIGS[name] | nonsense, 7)
    assert "--scheduler" in error.value.hint


@pytest.mark.parametrize("beta_end", [7.0, float("nan")])
@pytest.mark.parametrize("name", ["ddim", "euler", "dpmpp_2m", "unipc"])
def test_a_schedule_that_leads_to_no_number_is_refused(name: str, beta_end: float) -> None:
    said = refusal(name, CONFIGS[name] | {"beta_end": beta_end}, 7)
    assert said is not None
    assert name in said or SCHEDULERS[name].class_name in said


def test_a_request_is_checked_against_its_models_schedule(model_copy: Path) -> None:
    edit_json(model_copy / "scheduler" / "scheduler_config.json", beta_schedule="no such")
    spec = find_model(str(model_copy))
    request = spec.resolve(GenerationRequest(prompt="x", seed=1, model=str(model_copy)))
    with pytest.raises(ModelError, match="scheduler config, read as ddim"):
        check_schedule(spec, request)


def test_more_steps_than_fit_are_refused(tiny_folder: Path) -> None:
    spec = find_model(str(tiny_folder))
    request = spec.resolve(
        GenerationRequest(prompt="x", seed=1, model=str(tiny_folder), num_inference_steps=1000)
    )
    with pytest.raises(UsageError, match="1000 steps of DDIMScheduler do not fit"):
        check_schedule(spec, request)
