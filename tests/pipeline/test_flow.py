"""Flows: every scheduler finds the image that an exact velocity leads to, and x0 on the way."""

from __future__ import annotations

from itertools import pairwise, repeat
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.flow import FlowProcess, FlowSchedule, build_flow_scheduler, linear_mu
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.inpainting import Inpainting
from sheepgen.pipeline.scheduler import step_arguments
from sheepgen.schedulers import FLOW_SCHEDULERS, scheduler_name_for

if TYPE_CHECKING:
    from torch import Tensor

CPU = torch.device("cpu")
CONFIG: dict[str, Any] = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}

IMAGE = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)
NOISE = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))


class ToTheImage:
    """A network that knows the image: at noise level s, ``v = (x - x0) / s``."""

    process = FlowProcess()

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: Any, guidance: Guidance
    ) -> Tensor:
        del conditioning, guidance
        return (model_input - IMAGE) / (timestep / 1000)


def walk(name: str, config: dict[str, Any], start: Start | None = None, steps: int = 20) -> Any:
    scheduler = build_flow_scheduler(name, config, steps, FlowSchedule(mu=1.2))
    generator = torch.Generator().manual_seed(1)
    return list(
        denoise(
            ToTheImage(),
            scheduler,
            start or Start(latents=NOISE),
            repeat(
                StepSettings(
                    conditioning=None,
                    guidance=Guidance(scale=1.0),
                    arguments=step_arguments(name, generators=[generator]),
                )
            ),
        )
    )


@pytest.mark.parametrize("name", FLOW_SCHEDULERS)
def test_every_scheduler_finds_the_image(name: str) -> None:
    steps = walk(name, CONFIG)
    # Timesteps of some are rounded to whole numbers, so that the network is off by 1/2000.
    tolerance = 1e-5 if name in ("euler", "heun") else 2e-2
    for step in steps:
        assert step.alpha + step.sigma == pytest.approx(1)
        torch.testing.assert_close(step.pred_original_sample, IMAGE, atol=tolerance, rtol=0)
    torch.testing.assert_close(steps[-1].latents, IMAGE, atol=tolerance, rtol=0)
    sigmas = [step.sigma for step in steps]
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[0] > 0.99


@pytest.mark.parametrize("name", FLOW_SCHEDULERS)
def test_a_shift_by_the_size_is_the_same_for_every_scheduler(name: str) -> None:
    by_size = CONFIG | {"use_dynamic_shifting": True, "shift": 1.0}
    fixed = CONFIG | {"shift": 2.718281828459045**1.2}
    # Euler's own default levels are between those of its class; the others' are their own.
    sigmas = [
        build_flow_scheduler(name, config, 4, FlowSchedule(1.2, [1.0, 0.75, 0.5, 0.25])).sigmas
        for config in (by_size, fixed)
    ]
    torch.testing.assert_close(*sigmas, atol=1e-6, rtol=0)
    if name != "heun":
        linear = CONFIG | {"use_dynamic_shifting": True, "time_shift_type": "linear"}
        scheduler = build_flow_scheduler(
            name, linear, 4, FlowSchedule(3.32, [1.0, 0.75, 0.5, 0.25])
        )
        torch.testing.assert_close(scheduler.sigmas, sigmas[0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["euler", "heun", "dpmpp_2m", "unipc"])
def test_from_a_picture(name: str) -> None:
    scheduler = build_flow_scheduler(name, CONFIG, 8, FlowSchedule(mu=1.0))
    first = 4 * scheduler.order
    noisy = FlowProcess().add_noise(scheduler, IMAGE, NOISE, first)
    sigma = float(scheduler.sigmas[first])
    torch.testing.assert_close(noisy, (1 - sigma) * IMAGE + sigma * NOISE)
    steps = walk(name, CONFIG, Start(latents=noisy, first_step=first), steps=8)
    assert steps[0].sigma == pytest.approx(sigma)
    torch.testing.assert_close(steps[-1].latents, IMAGE, atol=2e-2, rtol=0)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "unipc"])
def test_what_is_not_repainted_stays_as_noisy_as_the_rest(name: str) -> None:
    kept = torch.full_like(IMAGE, 0.5)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    inpainting = Inpainting(mask=mask, clean=kept, noise=NOISE)
    steps = walk(name, CONFIG, Start(latents=NOISE, inpainting=inpainting), steps=6)
    for step, following in pairwise(steps):
        expected = (1 - following.sigma) * kept + following.sigma * NOISE
        torch.testing.assert_close(step.latents[..., 2:], expected[..., 2:], atol=1e-5, rtol=0)
    assert torch.equal(steps[-1].latents[..., 2:], kept[..., 2:])


def test_the_shift_of_a_size() -> None:
    assert linear_mu({}, 256) == pytest.approx(0.5)
    assert linear_mu({}, 4096) == pytest.approx(1.15)
    config = {"base_image_seq_len": 100, "max_image_seq_len": 200, "base_shift": 1, "max_shift": 2}
    assert linear_mu(config, 150) == pytest.approx(1.5)


def test_names_of_a_models_own_scheduler() -> None:
    for name, form in FLOW_SCHEDULERS.items():
        assert scheduler_name_for(form.class_name, dict(form.overrides), is_flow=True) == name
