"""What a step shows of a picture that dissolves is what image to image begins with there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sheepgen.events import FrameDecoded, RunStarted
from sheepgen.options import FrameOptions
from sheepgen.pipeline.forward import noise_levels, stream_forward
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import strength_of
from tests.pictures import photograph
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_if import save_tiny_if

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

STEPS = 5


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    photograph(32, 32).save(path)
    return str(path)


def request_of(picture: str, **fields: Any) -> GenerationRequest:
    wanted = {"prompt": "a red sheep", "seed": 7, "num_inference_steps": STEPS}
    return GenerationRequest(image=picture, width=32, height=32, **{**wanted, **fields})


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "heun", "pndm", "dpmpp_2m", "lcm"])
def test_every_step_is_where_an_image_starts(
    tiny_parts: StableDiffusionModel, picture: str, scheduler: str
) -> None:
    asked = request_of(picture, scheduler=scheduler)
    started, *frames = stream_forward(tiny_parts, tiny_parts.spec.resolve(asked), "vae")
    assert isinstance(started, RunStarted)
    assert [frame.step for frame in frames if isinstance(frame, FrameDecoded)] == [*range(6)]
    for step in range(1, STEPS + 1):
        request = request_of(picture, scheduler=scheduler, strength=strength_of(STEPS, step))
        events = stream(tiny_parts, request, FrameOptions(noisy=True, decoder="vae"))
        decoded = [event for event in events if isinstance(event, FrameDecoded)]
        start = next(event for event in decoded if event.kind == "noisy")
        shown = frames[step]
        assert isinstance(shown, FrameDecoded)
        assert (shown.alpha, shown.sigma) == (start.alpha, start.sigma)
        assert shown.timestep == start.timestep
        # The scheduler mixes the noise in at its own scale, and rounds otherwise.
        one, other = (np.asarray(each.image, dtype=int) for each in (shown, start))
        assert abs(one - other).max() <= 1
        if step == STEPS:
            assert decoded[0].image == frames[0].image  # type: ignore[union-attr]
            assert (decoded[-1].alpha, decoded[-1].sigma) == (1.0, 0.0)


def test_noise_grows_from_none_to_all(tiny_parts: StableDiffusionModel, picture: str) -> None:
    levels = noise_levels(tiny_parts, tiny_parts.spec.resolve(request_of(picture)))
    assert levels[0] == (0.0, 1.0, 0.0)
    alphas, sigmas = [each.alpha for each in levels], [each.sigma for each in levels]
    assert alphas == sorted(alphas, reverse=True)
    assert sigmas == sorted(sigmas)
    assert [a**2 + s**2 for a, s in zip(alphas, sigmas, strict=True)] == pytest.approx([1] * 6)
    assert sigmas[-1] > 0.9


def test_flows_and_learned_variances_have_levels_too(tmp_path: Path, picture: str) -> None:
    for folder, scheduler in (
        (save_tiny_flux1(tmp_path / "flux"), "euler"),
        (save_tiny_if(tmp_path / "if"), "ddpm"),
    ):
        model: Any = load_model(str(folder), device="cpu", dtype="fp32")
        request = model.spec.resolve(request_of(picture, scheduler=scheduler))
        levels = noise_levels(model, request)
        assert len(levels) == STEPS + 1
        assert levels[-1].sigma > 0.9
