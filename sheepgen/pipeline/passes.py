"""A run as a sequence of passes through the denoising loop, each with its network, size and steps.

Most runs are one pass. A second one through the same network begins with what the first made,
upscaled, as image to image begins with a picture. One through the network of another stage begins
in noise, and what the stage before made is a part of its conditioning. Each image's generator goes
on; so passes are what diffusers' pipelines make that are called one after the other with one
generator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from sheepgen.pipeline.denoise import denoise
from sheepgen.pipeline.frames import clean_latents, forward_latents, noisy_latents
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.scheduler import arguments_for

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from diffusers import SchedulerMixin
    from torch import Tensor

    from sheepgen.events import FrameKind
    from sheepgen.options import FrameOptions
    from sheepgen.passes import Pass
    from sheepgen.pipeline.denoise import DenoiseStep
    from sheepgen.pipeline.family import FollowingStage, Model, Stage, StagedModel
    from sheepgen.pipeline.start import Begun
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["FinishedPass", "PassOfImage", "PlannedPass", "pass_frames", "plan_passes", "run_pass"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedPass:
    """A pass of one or more images that is yet to come.

    Args:
        stage: Name of its network, as in `sheepgen.passes.Pass`.
        network: What it goes through.
        requests: Of its size, steps and guidance, which is all that networks know of passes.
        scheduler: Fresh, with its timesteps set.
        first_step: Index of the first timestep; above 0 if it starts from a picture.
        steps_before: Scheduler steps of the passes before it.
        makes_picture: Whether what it makes can be seen.
    """

    stage: str
    network: Stage
    requests: Sequence[ResolvedRequest]
    scheduler: SchedulerMixin
    first_step: int
    steps_before: int
    makes_picture: bool

    def count(self, step: DenoiseStep) -> int:
        """Return the number of a step among those of all passes, from 1."""
        return self.steps_before + step.index - self.first_step + 1

    @property
    def steps_after(self) -> int:
        """Scheduler steps of the passes before it and its own."""
        return self.steps_before + len(self.scheduler.timesteps) - self.first_step


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedPass:
    """What came of a pass.

    Args:
        planned: The pass.
        begun: What it started from.
        steps: All that it took, or the last alone if the others are not needed.
    """

    planned: PlannedPass
    begun: Begun
    steps: Sequence[DenoiseStep]

    def latents(self) -> Sequence[Tensor]:
        """Return the final latents of each image, (1, channels, height, width)."""
        return torch.split(self.steps[-1].latents, 1)

    def of_image(self, number: int, *, is_first: bool) -> PassOfImage:
        """Return what the pass was to one image of the batch; for the rest see `PassOfImage`."""
        clean = self.begun.clean
        return PassOfImage(
            noise=self.begun.noise[number],
            picture=None if clean is None else clean[number : number + 1],
            steps=[step.of_image(number) for step in self.steps],
            steps_before=self.planned.steps_before,
            is_first=is_first,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PassOfImage:
    """What a pass was to one image.

    Args:
        noise: That it started with, (1, channels, height, width), at unit variance.
        picture: Latents of the picture that it started from, likewise; None if there was none.
        steps: All that it took.
        steps_before: As in `PlannedPass`.
        is_first: Whether it is the first that makes a picture.
    """

    noise: Tensor
    picture: Tensor | None
    steps: Sequence[DenoiseStep]
    steps_before: int
    is_first: bool


class ShownLatents(NamedTuple):
    """Latents that become frames.

    Args:
        latents: (frames, channels, height, width), at the network's scale.
        timesteps: Of each frame.
        first_step: Number of the first frame; the others count on from it.
    """

    latents: Tensor
    timesteps: Sequence[float]
    first_step: int


def plan_passes(model: Model, requests: Sequence[ResolvedRequest]) -> list[PlannedPass]:
    """Return the passes of a batch.

    Args:
        model: Builds their schedulers.
        requests: With one `sheepgen.request.GenerationRequest.batch_key`.

    Raises:
        UsageError: If the schedule has no room for so many steps.
        ModelError: If the scheduler cannot be used with this model.
    """
    passes: list[PlannedPass] = []
    for each in requests[0].passes:
        own = [_request_of(each, request) for request in requests]
        network: Stage = model
        if each.stage:
            network = cast("StagedModel", model).stage(each.stage, own[0])
        scheduler = network.build_scheduler(own[0])
        # Schedulers of second order have two timesteps for one step.
        first_step = (each.num_inference_steps - each.steps) * scheduler.order
        passes.append(
            PlannedPass(
                stage=each.stage,
                network=network,
                requests=own,
                scheduler=scheduler,
                first_step=first_step,
                steps_before=passes[-1].steps_after if passes else 0,
                makes_picture=each.makes_picture,
            )
        )
    return passes


def _request_of(each: Pass, request: ResolvedRequest) -> ResolvedRequest:
    """Return a request as the network of a pass is to read it."""
    if each.makes_picture:
        request = replace(request, width=each.width, height=each.height)
    if each.stage:  # it starts from no picture
        request = replace(request, image=None, strength=None, mask=None, fit=None)
    return replace(
        request,
        num_inference_steps=each.num_inference_steps,
        guidance_scale=each.guidance_scale,
        scheduler=each.scheduler,
    )


def run_pass(
    planned: PlannedPass,
    begun: Begun,
    generators: Sequence[torch.Generator],
    *,
    finished: Sequence[FinishedPass] = (),
) -> Generator[DenoiseStep, None, None]:
    """Yield the steps of a pass as they are taken.

    Args:
        planned: The pass.
        begun: What it starts from.
        generators: On the CPU, one for each image.
        finished: The passes before it.

    Raises:
        NonFiniteError: If the latents are not finite after a step.
    """
    shared, network = planned.requests[0], planned.network
    conditioning = network.encode(planned.requests)
    if begun.masked is not None:
        conditioning = cast("Model", network).with_masked_image(conditioning, begun.masked)
    for before in reversed(finished):
        if before.planned.stage != planned.stage:
            following = cast("FollowingStage", network)
            result = before.steps[-1].latents
            conditioning = following.with_result(conditioning, result, generators)
            break
    yield from denoise(
        network,
        planned.scheduler,
        begun.start,
        conditioning,
        guidance=Guidance(scale=shared.guidance_scale, rescale=shared.guidance_rescale),
        step_arguments=arguments_for(shared, generators),
    )


def pass_frames(own: PassOfImage, options: FrameOptions) -> dict[FrameKind, ShownLatents]:
    """Return what is to be shown of a pass.

    The first pass begins in noise or the noised picture. Those after it begin at the step that the
    one before ended with, which is shown already: their own start is the last of the frames that
    show the picture dissolve, if there are any, and they count on from there.
    """
    steps, picture, before = own.steps, own.picture, own.steps_before
    start = own.noise if picture is None else steps[0].model_input
    shown: dict[FrameKind, ShownLatents] = {}
    # The timesteps before which, or after which, there is what a frame shows.
    after = [steps[0].timestep, *(step.timestep for step in steps)]
    if options.clean and picture is not None:
        latents = forward_latents(picture, own.noise, steps)
        timesteps = [0.0, *(step.timestep for step in reversed(steps[1:]))]
        if not own.is_first:
            latents, timesteps = torch.cat([latents, start]), [*timesteps, steps[0].timestep]
        shown["forward"] = ShownLatents(latents, timesteps, before)
    first = 0 if own.is_first else 1
    if options.clean:
        latents = clean_latents(start, steps)[first:]
        shown["clean"] = ShownLatents(latents, after[first:], before + first)
    if options.noisy:
        latents = noisy_latents(start, steps)[first:]
        shown["noisy"] = ShownLatents(latents, after[first:], before + first)
    return shown
