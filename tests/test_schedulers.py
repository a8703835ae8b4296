"""The table says the truth about diffusers, and names find their rows."""

from __future__ import annotations

import inspect
from typing import Any

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionPipeline
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import ModelError, UsageError
from sheepgen.pipeline.scheduler import build_scheduler, set_timesteps, step_arguments
from sheepgen.scheduler_names import canonical_scheduler_name
from sheepgen.schedulers import (
    SCHEDULERS,
    check_step_count,
    scheduler_name_for,
    steps_taken,
    strength_of,
    timesteps_taken,
)
from tests.tiny import tiny_pipeline, tiny_scheduler


def parameters(scheduler: str, method: str) -> set[str]:
    scheduler_class = getattr(diffusers, SCHEDULERS[scheduler].class_name)
    return set(inspect.signature(getattr(scheduler_class, method)).parameters)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_rows_agree_with_diffusers(name: str) -> None:
    spec, step = SCHEDULERS[name], parameters(name, "step")
    assert spec.takes_eta == ("eta" in step)
    assert spec.takes_generator == ("generator" in step)
    assert set(spec.overrides) <= parameters(name, "__init__")


def walk(name: str, steps: int, *, seed: int = 0, eta: float = 0.0) -> tuple[int, torch.Tensor]:
    """Return how many timesteps there are, and what is left after them."""
    scheduler = build_scheduler(name, tiny_scheduler().config)
    timesteps = set_timesteps(scheduler, steps)
    arguments = step_arguments(name, eta=eta, generators=[torch.Generator().manual_seed(seed)])
    sample = torch.ones(1, 4, 2, 2)
    for timestep in timesteps:
        prediction = torch.zeros_like(scheduler.scale_model_input(sample, timestep))
        sample = scheduler.step(prediction, timestep, sample, **arguments, return_dict=False)[0]
    return len(timesteps), sample


@pytest.mark.parametrize("name", SCHEDULERS)
def test_rows_say_which_steps_add_noise(name: str) -> None:
    for eta in (0.0, 0.5):
        (_, one), (_, other) = (walk(name, 6, seed=seed, eta=eta) for seed in (0, 1))
        assert SCHEDULERS[name].draws_noise(eta) != torch.equal(one, other)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_rows_say_how_many_timesteps_there_are(name: str) -> None:
    scheduler = build_scheduler(name, tiny_scheduler().config)
    assert SCHEDULERS[name].order == scheduler.order
    for steps in (1, 2, 7):
        total, _ = walk(name, steps)
        for taken in range(1, steps + 1):
            first = (steps - taken) * scheduler.order
            assert timesteps_taken(name, steps, taken) == total - first


@given(st.integers(1, 1000).flatmap(lambda steps: st.tuples(st.just(steps), st.integers(1, steps))))
def test_a_strength_leaves_the_steps_that_it_is_for(case: tuple[int, int]) -> None:
    steps, taken = case
    strength = strength_of(steps, taken)
    assert 0 < strength <= 1
    assert steps_taken(steps, strength) == taken
    assert len(f"{strength:g}") <= len("0.12345")


def test_step_arguments_are_what_step_takes() -> None:
    generator = torch.Generator()
    taken = {name: step_arguments(name, eta=0.5, generators=[generator]) for name in SCHEDULERS}
    assert taken["ddim"] == {"eta": 0.5, "generator": [generator]}
    assert taken["euler_a"] == {"generator": [generator]}
    assert taken["unipc"] == {}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("ddim", "ddim"),
        ("DDIM", "ddim"),
        ("Euler a", "euler_a"),
        ("euler-ancestral", "euler_a"),
        ("DPM++ 2M", "dpmpp_2m"),
        ("DPM++ 2M Karras", "dpmpp_2m_karras"),
        ("dpm++ 2m sde", "dpmpp_2m_sde"),
        ("DPM++ 3M SDE Karras", "dpmpp_3m_sde_karras"),
        ("UniPC", "unipc"),
        ("PLMS", "pndm"),
        ("LMS", "lms"),
        ("LMS Karras", "lms_karras"),
        ("DPM2", "kdpm2"),
        ("DPM2 a", "kdpm2_a"),
        ("DPM2 a Karras", "kdpm2_a_karras"),
        ("k_dpm_2_a Karras", "kdpm2_a_karras"),
        ("  LCM ", "lcm"),
    ],
)
def test_other_spellings(spelling: str, name: str) -> None:
    assert canonical_scheduler_name(spelling) == name


@pytest.mark.parametrize("name", SCHEDULERS)
def test_all_names_of_a_row_lead_to_it(name: str) -> None:
    spec = SCHEDULERS[name]
    names = [name, name.upper(), f"{spec.sampler} {spec.schedule_type}", *spec.aliases]
    assert {canonical_scheduler_name(each) for each in names} == {name}


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match='Unknown scheduler "eulr"') as caught:
        canonical_scheduler_name("eulr")
    assert "Nearest: euler" in caught.value.hint


@pytest.mark.parametrize("name", ["", "???", "\x1b[31mxyzzy"])
def test_a_name_like_nothing_gets_the_list(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        canonical_scheduler_name(name)
    assert caught.value.hint == "`sheepgen schedulers` lists them all."
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_folder_saved_with_a_scheduler_gets_its_name_back(name: str) -> None:
    scheduler = build_scheduler(name, tiny_scheduler(num_train_timesteps=100).config)
    assert scheduler_name_for(SCHEDULERS[name].class_name, scheduler.config) == name


@pytest.mark.parametrize(
    ("class_name", "config", "name"),
    [
        ("DPMSolverMultistepScheduler", {}, "dpmpp_2m"),
        ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}, "dpmpp_2m_karras"),
        ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver"}, None),
        ("PNDMScheduler", {"skip_prk_steps": False}, None),
        ("FlowMatchEulerDiscreteScheduler", {}, None),
    ],
)
def test_names_of_folders(class_name: str, config: dict[str, Any], name: str | None) -> None:
    assert scheduler_name_for(class_name, config) == name


def test_a_scheduler_takes_what_it_knows_of_any_config() -> None:
    config = {**tiny_scheduler("v_prediction").config, "beta_end": 0.013}
    heun = build_scheduler("heun_karras", config)
    assert type(heun).__name__ == "HeunDiscreteScheduler"
    assert heun.config.prediction_type == "v_prediction"
    assert heun.config.beta_end == 0.013
    assert heun.config.use_karras_sigmas


def test_settings_that_the_pipeline_corrects_are_corrected() -> None:
    config = dict(PNDMScheduler(skip_prk_steps=True, steps_offset=0).config)
    ours = build_scheduler("ddim", config)
    parts = tiny_pipeline().components | {"scheduler": DDIMScheduler.from_config(config)}
    with pytest.warns(FutureWarning) as warned:
        theirs = StableDiffusionPipeline(**parts, requires_safety_checker=False).scheduler
    assert len(warned) == 2
    for setting in ("clip_sample", "steps_offset"):
        assert ours.config[setting] == theirs.config[setting]
    assert not ours.config.clip_sample


def test_models_that_predict_something_else_are_refused() -> None:
    with pytest.raises(ModelError, match="predicts flow_prediction"):
        build_scheduler("ddim", tiny_scheduler("flow_prediction").config)


def test_a_scheduler_that_takes_no_clean_latents_takes_the_velocity() -> None:
    config = tiny_scheduler("sample").config
    for name, spec in SCHEDULERS.items():
        built = build_scheduler(name, config).config.prediction_type
        assert built == ("sample" if spec.takes_sample else "v_prediction")


def test_step_limits() -> None:
    check_step_count("ddim", 1000)
    check_step_count("lcm", 50)
    with pytest.raises(UsageError, match="lcm takes at most 50 steps, not 51"):
        check_step_count("lcm", 51)
