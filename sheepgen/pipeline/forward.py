"""The forward process: a picture that dissolves step by step into static.

    x_t = alpha_t * x_0 + sigma_t * noise          https://arxiv.org/abs/2006.11239, equation 4

The levels are those that the scheduler denoises at, the other way round; the latents and the noise
are those of image to image with the same seed. So what step k of n shows is what an image begins
with that starts from the picture with a strength of k / n.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from sheepgen.events import FrameDecoded, RunStarted
from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.environment import precision_name
from sheepgen.pipeline.frames import choose_decoder, decode_frames, decode_pixels, relative_changes
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.scheduler import arguments_for, learns_variance
from sheepgen.pipeline.start import begin

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from sheepgen.options import FrameDecoder
    from sheepgen.pipeline.family import Model, Process
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["NoiseLevel", "noise_levels", "stream_forward"]


class NoiseLevel(NamedTuple):
    """How noisy latents are at a timestep.

    Args:
        timestep: The scheduler's.
        alpha: Share of the clean latents.
        sigma: Share of the noise.
    """

    timestep: float
    alpha: float
    sigma: float


def noise_levels(model: Model, request: ResolvedRequest) -> list[NoiseLevel]:
    """Return the noise level of the clean picture, and then those of all steps, the least first.

    Args:
        model: Builds the scheduler.
        request: Says which, and how many steps.
    """
    scheduler = model.build_scheduler(request)
    still = _Still(process=model.process, channels=1 + learns_variance(scheduler))
    settings = StepSettings(
        conditioning=None,
        guidance=Guidance(scale=1.0),
        arguments=arguments_for(request, [torch.Generator("cpu").manual_seed(0)]),
    )
    start = Start(latents=torch.zeros(1, 1, 1, 1, device=model.device))
    steps = list(denoise(still, scheduler, start, repeat(settings)))
    # Schedulers of second order have two timesteps for one step.
    noisiest = steps[: request.num_inference_steps * scheduler.order : scheduler.order]
    noisy = [NoiseLevel(step.timestep, step.alpha, step.sigma) for step in reversed(noisiest)]
    return [NoiseLevel(0.0, 1.0, 0.0), *noisy]


def stream_forward(
    model: Model, request: ResolvedRequest, decoder: FrameDecoder = "auto"
) -> Generator[RunStarted | FrameDecoded, None, None]:
    """Dissolve the picture of a request, and yield it at every step.

    Args:
        model: Loaded; it encodes and decodes.
        request: Resolved, with a picture; its strength and prompts do not matter.
        decoder: How steps become pictures.

    Yields:
        `RunStarted`, then a `FrameDecoded` for the picture and each step.

    Raises:
        UsageError: If the model has no such decoder, or the picture is not what it was.
        NonFiniteError: If NaN or infinity comes out of the model.
    """
    decoder = choose_decoder(model, decoder)
    levels = noise_levels(model, request)
    yield RunStarted(
        request=request,
        total_steps=len(levels) - 1,
        device=str(model.device),
        dtype=precision_name(model),
    )
    generators = [torch.Generator("cpu").manual_seed(request.seed)]
    with torch.inference_mode():
        scheduler = model.build_scheduler(request)
        begun = begin(model, scheduler, [request], generators, first_step=0)
        assert begun.clean is not None, "there is a picture"
        clean, noise = begun.clean, begun.noise[0].to(begun.clean)
        latents = torch.cat([level.alpha * clean + level.sigma * noise for level in levels])
        pixels = decode_pixels(model, clean)
    images = decode_frames(model, latents, decoder, finished_latents=clean, finished_pixels=pixels)
    of_steps = zip(images, levels, relative_changes(latents), strict=True)
    for step, (image, level, change) in enumerate(of_steps):
        yield FrameDecoded(
            request=request,
            kind="forward",
            step=step,
            total_steps=len(levels) - 1,
            timestep=level.timestep,
            image=image,
            change=change,
            alpha=level.alpha,
            sigma=level.sigma,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Still:
    """A network that always predicts zeros, by which a scheduler goes through its steps."""

    process: Process
    channels: int

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,  # noqa: ARG002 - as networks are called
        conditioning: Any,  # noqa: ANN401, ARG002
        guidance: Guidance,  # noqa: ARG002
    ) -> Tensor:
        """Return zeros, (batch, channels, height, width)."""
        return torch.zeros_like(model_input).repeat(1, self.channels, 1, 1)
