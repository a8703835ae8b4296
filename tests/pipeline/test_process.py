"""x0 is right at every step of every scheduler, for every kind of prediction."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.latent_model import UNetDenoiser
from sheepgen.pipeline.process import DiffusionProcess
from sheepgen.pipeline.scheduler import build_scheduler, set_timesteps, step_arguments
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import PREDICTION_TYPES, SCHEDULERS
from tests.pipeline.fakes import NO_WORDS, OracleUNet
from tests.tiny import tiny_scheduler

if TYPE_CHECKING:
    from diffusers import SchedulerMixin

    from sheepgen.pipeline.denoise import DenoiseStep
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

CPU = torch.device("cpu")
STEPS = 6

# These tell the U-Net a whole timestep near the noise level that they work with.
ROUNDED = {name for name in SCHEDULERS if name.endswith("karras") and "dpm" in name}


def run(
    name: str,
    scheduler: SchedulerMixin,
    unet: Any,
    prediction_type: str,
    *,
    conditioning: Any = NO_WORDS,
    guidance_scale: float = 1.0,
) -> list[DenoiseStep]:
    generator = torch.Generator().manual_seed(0)
    timesteps = set_timesteps(scheduler, STEPS)
    noise = torch.randn(1, 4, 4, 4, generator=generator)
    process = DiffusionProcess(prediction_type)
    steps = list(
        denoise(
            UNetDenoiser(unet, process),
            scheduler,
            Start(latents=process.initial_latents(scheduler, noise)),
            repeat(
                StepSettings(
                    conditioning=conditioning,
                    guidance=Guidance(scale=guidance_scale),
                    arguments=step_arguments(name, eta=0.5, generators=[generator]),
                )
            ),
        )
    )
    assert len(steps) == len(timesteps)
    return steps


@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_perfect_prediction_shows_the_clean_latents(name: str, prediction_type: str) -> None:
    config = {
        **tiny_scheduler(prediction_type).config,
        "timestep_spacing": "leading",
        "_use_default_values": [],
    }
    scheduler = build_scheduler(name, config)
    clean = torch.linspace(-1.5, 1.5, 64).reshape(1, 4, 4, 4)
    oracle = OracleUNet(clean, scheduler, prediction_type)
    steps = run(name, scheduler, oracle, prediction_type)
    tolerance = 0.1 if name in ROUNDED else 5e-5
    for step in steps:
        error = (step.pred_original_sample - clean).abs().max().item()
        assert error < tolerance, f"at step {step.index}, timestep {step.timestep}"


def own_estimates(monkeypatch: pytest.MonkeyPatch, scheduler: SchedulerMixin) -> list[Any]:
    """Return a list that fills with what the scheduler itself makes of each prediction."""
    estimates: list[Any] = []
    step = scheduler.step

    def recording_step(*arguments: Any, **options: Any) -> Any:
        output = step(*arguments, **(options | {"return_dict": True}))
        estimate = getattr(output, "pred_original_sample", None)
        estimates.append(scheduler.model_outputs[-1] if estimate is None else estimate)
        return (output.prev_sample,)

    monkeypatch.setattr(scheduler, "step", recording_step)
    return estimates


# PNDM, LCM and TCD keep no estimate, DEIS keeps the noise.
@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
@pytest.mark.parametrize("name", sorted(set(SCHEDULERS) - {"deis", "lcm", "pndm", "tcd"}))
def test_it_is_the_estimate_that_the_scheduler_works_with(
    tiny_parts: StableDiffusionModel,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    prediction_type: str,
) -> None:
    config = tiny_scheduler(prediction_type, num_train_timesteps=200).config
    scheduler = build_scheduler(name, config)
    estimates = own_estimates(monkeypatch, scheduler)
    asked = GenerationRequest(
        prompt="a red sheep", negative_prompt="mud", seed=0, guidance_scale=4.0
    )
    conditioning = tiny_parts.encode([tiny_parts.spec.resolve(asked)])
    settings: dict[str, Any] = {"conditioning": conditioning, "guidance_scale": 4.0}
    steps = run(name, scheduler, tiny_parts.unet, prediction_type, **settings)
    # Told as a velocity, this U-Net's nonsense is divided by as little noise as there is, and an
    # error in that is magnified.
    converted = prediction_type == "sample" and not SCHEDULERS[name].takes_sample
    near = 2e-3 if converted else 2e-4
    for step, estimate in zip(steps, estimates, strict=True):
        torch.testing.assert_close(step.pred_original_sample, estimate, rtol=near, atol=near)


@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
def test_half_precision_is_not_blown_up(prediction_type: str) -> None:
    model_input = torch.tensor([1.0078125], dtype=torch.bfloat16)
    prediction = torch.tensor([0.99609375], dtype=torch.bfloat16)
    settings: dict[str, Any] = {"alpha": 0.0625, "sigma": 0.998}
    process = DiffusionProcess(prediction_type)
    estimate = process.predict_x0(model_input, prediction, **settings)
    exact = process.predict_x0(model_input.double(), prediction.double(), **settings)
    assert estimate.dtype == torch.float32
    torch.testing.assert_close(estimate, exact.float())
