"""A run in diffusers' own loop as a stream of events: what `sheepgen.pipeline.run` does in its own.

Latents come as they are after each step, so that frames show the noise going; what the network
makes of them meanwhile, diffusers keeps to itself.
"""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import torch

from sheepgen.events import FrameDecoded, RunStarted, StepCompleted
from sheepgen.pipeline.decoding import in_tiles
from sheepgen.pipeline.diffusers_pipeline import PipelineNoise, PipelinePixels, PipelineStep
from sheepgen.pipeline.environment import precision_name
from sheepgen.pipeline.finish import finish
from sheepgen.pipeline.frames import decode_frames, to_pil
from sheepgen.pipeline.pipeline_latents import unpacked
from sheepgen.pipeline.stepwise import stepwise

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from torch import Tensor

    from sheepgen.events import Event
    from sheepgen.options import FrameOptions
    from sheepgen.pipeline.diffusers_pipeline import PipelineModel, PipelineReport
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["run_pipeline"]


def run_pipeline(
    model: PipelineModel,
    request: ResolvedRequest,
    frames: FrameOptions | None,
    *,
    tiled_from: int | None = None,
) -> Generator[Event, None, None]:
    """Generate an image; yield what `sheepgen.pipeline.run.stream` does.

    Args:
        model: Loaded.
        request: The image.
        frames: Whether noisy frames are wanted; there are no others.
        tiled_from: As for `sheepgen.pipeline.run.stream`.
    """
    started = time.perf_counter()
    total_steps = request.steps_taken
    yield RunStarted(
        request=request,
        total_steps=total_steps,
        device=str(model.device),
        dtype=precision_name(model),
        offload="none" if model.placement is None else model.placement.offload,
    )
    noises: list[Tensor] = []
    pixels, tiled = torch.empty(0), False
    steps: list[PipelineStep] = []
    steps_before = 0
    call = partial(model.run, request, tiled_from=tiled_from)
    running: Generator[PipelineReport, None, None] = stepwise(call)
    with closing(running):
        for seen in running:
            match seen:
                case PipelineNoise():
                    noises.append(seen.latents)
                case PipelinePixels():
                    pixels, tiled = seen.pixels, seen.tiled
                case PipelineStep():
                    if seen.stage:
                        steps_before += 1
                    else:
                        steps.append(seen)
                    yield StepCompleted(
                        request=request,
                        step=steps_before + len(steps),
                        total_steps=total_steps,
                        timestep=seen.timestep,
                        stage=seen.stage,
                        elapsed_s=time.perf_counter() - started,
                    )
    if frames is not None:
        with in_tiles(model, tiled=tiled):
            yield from _frames(model, request, frames, noises[-1], steps, pixels)
    yield finish(
        model,
        request,
        to_pil(pixels)[0],
        noise=noises[0],
        latents=steps[-1].latents,
        batch_size=1,
        started=started,
        tiled_from=int(tiled),
    )


def _frames(
    model: PipelineModel,
    request: ResolvedRequest,
    options: FrameOptions,
    noise: Tensor,
    steps: Sequence[PipelineStep],
    pixels: Tensor,
) -> Iterator[FrameDecoded]:
    """Decode the frames of an image.

    Args:
        model: Loaded.
        request: The image.
        options: How they are decoded.
        noise: Before the first step, in the pipeline's form.
        steps: All that were taken to make the picture.
        pixels: The finished image, (1, 3, height, width), 0 to 1.
    """
    latents = [noise.to(steps[0].latents), *(step.latents for step in steps)]
    row, size = model.row, (request.width, request.height)
    shown = torch.cat(
        [unpacked(each, *size, row.patch_side, channels_last=row.channels_last) for each in latents]
    )
    timesteps = [steps[0].timestep, *(step.timestep for step in steps)]
    images = decode_frames(
        model, shown, options.decoder, finished_latents=shown[-1:], finished_pixels=pixels
    )
    total_steps = request.steps_taken
    steps_before = total_steps - len(steps)
    for step, (image, timestep) in enumerate(zip(images, timesteps, strict=True), steps_before):
        yield FrameDecoded(
            request=request,
            kind="noisy",
            step=step,
            total_steps=total_steps,
            timestep=timestep,
            image=image,
        )
