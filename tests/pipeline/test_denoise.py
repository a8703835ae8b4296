"""The loop as a generator: what it yields, what it refuses, what it leaves alone."""

from __future__ import annotations

import math
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sheepgen.errors import NonFiniteError
from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.latent_model import UNetDenoiser
from sheepgen.pipeline.process import DiffusionProcess
from sheepgen.pipeline.scheduler import build_scheduler, set_timesteps, step_arguments
from sheepgen.schedulers import SCHEDULERS
from tests.pipeline.fakes import NO_WORDS, ConstantUNet, OracleUNet
from tests.tiny import tiny_scheduler

if TYPE_CHECKING:
    from collections.abc import Generator

    from diffusers import SchedulerMixin

    from sheepgen.pipeline.denoise import DenoiseStep

CPU = torch.device("cpu")


def start(
    unet: Any, *, scheduler: SchedulerMixin, name: str = "ddim"
) -> Generator[DenoiseStep, None, None]:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 4, 2, 2, generator=generator)
    process = DiffusionProcess("epsilon")
    return denoise(
        UNetDenoiser(unet, process),
        scheduler,
        Start(latents=process.initial_latents(scheduler, noise)),
        repeat(
            StepSettings(
                conditioning=NO_WORDS,
                guidance=Guidance(scale=1.0),
                arguments=step_arguments(name, eta=0.0, generators=[generator]),
            )
        ),
    )


def fresh_scheduler(name: str = "ddim", steps: int = 4, trained: int = 1000) -> SchedulerMixin:
    scheduler = build_scheduler(name, tiny_scheduler(num_train_timesteps=trained).config)
    set_timesteps(scheduler, steps)
    return scheduler


@pytest.mark.parametrize("steps", [1, 2, 30])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_any_number_of_steps(name: str, steps: int) -> None:
    scheduler = fresh_scheduler(name, steps, trained=100)
    unet = OracleUNet(torch.zeros(1, 4, 2, 2), scheduler)
    taken = list(start(unet, scheduler=scheduler, name=name))
    assert [step.index for step in taken] == list(range(len(scheduler.timesteps)))
    assert [step.timestep for step in taken] == scheduler.timesteps.tolist()


def test_an_image_is_what_the_last_step_leaves() -> None:
    scheduler = fresh_scheduler("dpmpp_2m", 8)
    clean = torch.linspace(-1, 1, 16).reshape(1, 4, 2, 2)
    *_, last = start(OracleUNet(clean, scheduler), scheduler=scheduler, name="dpmpp_2m")
    torch.testing.assert_close(last.latents, clean, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["ddim", "euler", "heun", "lms", "dpmpp_2m"])
def test_the_networks_input_has_unit_variance(name: str) -> None:
    scheduler = fresh_scheduler(name, 6)
    unet = OracleUNet(torch.zeros(1, 4, 2, 2), scheduler)
    first = next(start(unet, scheduler=scheduler, name=name))
    noise = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(first.model_input, noise, rtol=0.01, atol=0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_an_error_that_names_the_step(value: float) -> None:
    unet = ConstantUNet(0.1, later=value, since=2)
    denoising = start(unet, scheduler=fresh_scheduler())
    assert next(denoising).index == 0
    assert next(denoising).index == 1
    with pytest.raises(NonFiniteError, match="after step 3 of 4") as caught:
        next(denoising)
    assert "--dtype fp32" in caught.value.hint
    assert unet.calls == 3


def test_the_consumers_modes_are_its_own() -> None:
    denoising = start(ConstantUNet(0.1), scheduler=fresh_scheduler())
    for _ in denoising:
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert (torch.ones((), requires_grad=True) * 2).requires_grad
    assert torch.is_grad_enabled()


def test_closing_early_leaves_modes_as_they_were() -> None:
    denoising = start(ConstantUNet(0.1), scheduler=fresh_scheduler())
    with torch.no_grad():
        next(denoising)
        denoising.close()
        assert not torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    assert list(denoising) == []


def test_the_network_runs_without_gradients() -> None:
    modes = []

    class WatchingUNet(ConstantUNet):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            modes.append(torch.is_inference_mode_enabled())
            return super().__call__(*arguments, **options)

    list(start(WatchingUNet(0.1), scheduler=fresh_scheduler()))
    assert modes == [True] * 4
