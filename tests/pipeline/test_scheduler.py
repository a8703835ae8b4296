"""Step counts that a schedule can and cannot take."""

from __future__ import annotations

import pytest
import torch

from sheepgen.errors import UsageError
from sheepgen.pipeline.scheduler import build_scheduler, set_timesteps
from tests.tiny import tiny_scheduler

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "total"), [("ddim", 4), ("heun", 7), ("kdpm2", 7), ("pndm", 5)])
def test_two_halves_of_a_step_are_two_timesteps(name: str, total: int) -> None:
    scheduler = build_scheduler(name, tiny_scheduler().config)
    assert len(set_timesteps(scheduler, 4)) == total


@pytest.mark.parametrize(
    ("name", "spacing", "steps"),
    [
        ("ddim", "leading", 1000),
        ("ddim", "trailing", 1001),
        ("dpmpp_2m", "leading", 999),
        ("dpmpp_2m", "leading", 1000),
        ("euler", "leading", 1000),
    ],
)
def test_more_steps_than_the_schedule_holds(name: str, spacing: str, steps: int) -> None:
    config = {**tiny_scheduler().config, "timestep_spacing": spacing, "_use_default_values": []}
    with pytest.raises(UsageError, match="do not fit"):
        set_timesteps(build_scheduler(name, config), steps)


@pytest.mark.parametrize("name", ["ddim", "euler", "unipc"])
def test_as_many_steps_as_the_schedule_holds(name: str) -> None:
    config = tiny_scheduler(timestep_spacing="trailing").config
    timesteps = set_timesteps(build_scheduler(name, config), 1000)
    assert timesteps.tolist() == list(range(999, -1, -1))


def test_the_first_step_is_the_first_even_if_the_second_has_its_timestep() -> None:
    config = tiny_scheduler(rescale_betas_zero_snr=True).config
    scheduler = build_scheduler("dpmpp_2m_karras", config)
    timesteps = set_timesteps(scheduler, 50)
    assert timesteps[0] == timesteps[1]
    latents = torch.zeros(1, 1, 1, 1)
    for timestep in timesteps:
        scheduler.step(latents, timestep, latents)
    assert scheduler.step_index == 50
