"""A run as a sequence of passes through the denoising loop, each with its network, size and steps.

Most runs are one pass. A second one through the same network begins with what the first made,
upscaled, as image to image begins with a picture. One through the network of another stage begins
in noise, and what the stage before made is a part of its conditioning. Each image's generator goes
on; so passes are what diffusers' pipelines make that are called one after the other with one
generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from sheepgen.pipeline.denoise import StepSettings, denoise
from sheepgen.pipeline.frames import clean_latents, forward_latents, noisy_latents
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.legs import guided_legs, leg_of_pass, plan_legs
from sheepgen.pipeline.scheduler import arguments_for
from sheepgen.pipeline.step_cache import forget_steps

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from diffusers import SchedulerMixin
    from torch import Tensor

    from sheepgen.events import FrameKind
    from sheepgen.options import FrameOptions
    from sheepgen.pipeline.denoise import DenoiseStep
    from sheepgen.pipeline.family import FollowingStage, Model, Stage, StagedModel
    from sheepgen.pipeline.legs import BatchLeg
    from sheepgen.pipeline.start import Begun
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["FinishedPass", "PassOfImage", "PlannedPass", "pass_frames", "plan_passes", "run_pass"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedPass:
    """A pass of one or more images that is yet to come.

    Args:
        stage: Name of its network, as in `sheepgen.passes.Pass`.
        network: What it goes through.
        legs: Of its steps: as many as change on the way, and one more.
        scheduler: Fresh, with its timesteps set.
        first_step: Index of the first timestep; above 0 if it starts from a picture.
        steps_before: Scheduler steps of the passes before it.
        makes_picture: Whether what it makes can be seen.
    """

    stage: str
    network: Stage
    legs: Sequence[BatchLeg]
    scheduler: SchedulerMixin
    first_step: int
    steps_before: int
    makes_picture: bool

    @property
    def requests(self) -> Sequence[ResolvedRequest]:
        """What it begins with: of its size, steps and guidance, as networks know no passes."""
        return self.legs[0].requests

    @property
    def generators(self) -> Sequence[torch.Generator]:
        """What the randomness of its start is taken from, on the CPU, one for each image."""
        return self.legs[0].generators

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
        levels: Of each frame the shares of clean latents and of noise that the run has come to.
        first_step: Number of the first frame; the others count on from it.
    """

    latents: Tensor
    timesteps: Sequence[float]
    levels: Sequence[tuple[float, float]]
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
    legs = plan_legs(requests)
    for number, each in enumerate(requests[0].passes):
        own = [leg_of_pass(number, leg) for leg in legs]
        network: Stage = model
        if each.stage:
            network = cast("StagedModel", model).stage(each.stage, own[0].requests[0])
        scheduler = network.build_scheduler(own[0].requests[0])
        # Schedulers of second order have two timesteps for one step.
        first_step = (each.num_inference_steps - each.steps) * scheduler.order
        before = passes[-1].steps_after if passes else 0
        after = before + len(scheduler.timesteps) - first_step
        begun = max(leg.steps_before for leg in own if leg.steps_before <= before)
        own = [leg for leg in own if begun <= leg.steps_before < after]
        if not each.stage:  # others have a guidance of their own, without an interval
            own = guided_legs(own, range(before, after), network.info.guidance)
        passes.append(
            PlannedPass(
                stage=each.stage,
                network=network,
                legs=own,
                scheduler=scheduler,
                first_step=first_step,
                steps_before=before,
                makes_picture=each.makes_picture,
            )
        )
    return passes


def run_pass(
    planned: PlannedPass, begun: Begun, *, finished: Sequence[FinishedPass] = ()
) -> Generator[DenoiseStep, None, None]:
    """Yield the steps of a pass as they are taken.

    Args:
        planned: The pass.
        begun: What it starts from.
        finished: The passes before it.

    Raises:
        NonFiniteError: If the latents are not finite after a step.
    """
    forget_steps(planned.network)
    settings = [_settings(planned, leg, begun, finished) for leg in planned.legs]
    # Each leg's hold until the next begins, and the last's for all steps that are left.
    starts = [max(0, leg.steps_before - planned.steps_before) for leg in planned.legs]
    lengths = [end - start for start, end in pairwise(starts)]
    changing = [repeat(*each) for each in zip(settings, lengths, strict=False)]
    of_steps = chain(*changing, repeat(settings[-1]))
    yield from denoise(planned.network, planned.scheduler, begun.start, of_steps)


def _settings(
    planned: PlannedPass, leg: BatchLeg, begun: Begun, finished: Sequence[FinishedPass]
) -> StepSettings:
    """Return what the steps of a leg follow; for the rest see `run_pass`."""
    shared, network = leg.requests[0], planned.network
    conditioning = network.encode(leg.requests)
    if begun.masked is not None:
        conditioning = cast("Model", network).with_masked_image(conditioning, begun.masked)
    for before in reversed(finished):
        if before.planned.stage != planned.stage:
            following = cast("FollowingStage", network)
            result = before.steps[-1].latents
            conditioning = following.with_result(conditioning, result, leg.generators)
            break
    return StepSettings(
        conditioning=conditioning,
        guidance=Guidance(scale=shared.guidance_scale, rescale=shared.guidance_rescale),
        arguments=arguments_for(shared, leg.generators),
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
    levels = [*((step.alpha, step.sigma) for step in steps), (1.0, 0.0)]
    if options.clean and picture is not None:
        latents = forward_latents(picture, own.noise, steps)
        timesteps = [0.0, *(step.timestep for step in reversed(steps[1:]))]
        if not own.is_first:
            latents, timesteps = torch.cat([latents, start]), [*timesteps, steps[0].timestep]
        backwards = levels[::-1][: len(latents)]
        shown["forward"] = ShownLatents(latents, timesteps, backwards, before)
    first = 0 if own.is_first else 1
    if options.clean:
        latents = clean_latents(start, steps)[first:]
        shown["clean"] = ShownLatents(latents, after[first:], levels[first:], before + first)
    if options.noisy:
        latents = noisy_latents(start, steps)[first:]
        shown["noisy"] = ShownLatents(latents, after[first:], levels[first:], before + first)
    return shown
