"""Dissolve a picture into static, save how it goes, and find the way back from any step."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from sheepgen.errors import UsageError
from sheepgen.events import FrameDecoded, ModelLoading
from sheepgen.execution.checks import check_device, check_schedules
from sheepgen.execution.plan import find_or_plan_download
from sheepgen.execution.run import prepare_folders
from sheepgen.init_image import check_init_image, init_image_notes
from sheepgen.models.hub import DownloadPlan
from sheepgen.output.artifacts import ArtifactSource
from sheepgen.output.images import save_artifacts
from sheepgen.output.ownership import free_target
from sheepgen.output.template import DISSOLVED_OUTPUT, Target, parse_output
from sheepgen.schedulers import strength_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from sheepgen.events import RunEvent
    from sheepgen.execution.settings import RunSettings
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.images import OutputLayout
    from sheepgen.pipeline.family import Model
    from sheepgen.request import GenerationRequest
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["DissolvePlan", "PictureDissolved", "plan_dissolve", "run_dissolve"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureDissolved:
    """A picture that dissolved is on disk, complete.

    Args:
        request: Says with which noise.
        artifacts: The paths by their names in `sheepgen.output.artifacts.ARTIFACTS`.
    """

    request: ResolvedRequest
    artifacts: Mapping[str, Path] = field(hash=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class DissolvePlan:
    """A picture that is to dissolve; nothing is known to stand in the way.

    Args:
        spec: The model, complete on this disk.
        request: Resolved, with the picture and a strength of 1.
        settings: As they were given.
        layout: What is saved, and how it is called.
        target: Where it goes.
        notes: A line on what is done to the picture, if anything is.
    """

    spec: ModelSpec
    request: ResolvedRequest
    settings: RunSettings
    layout: OutputLayout
    target: Target
    notes: tuple[str, ...]

    def back_from(self, step: int, request: GenerationRequest) -> GenerationRequest:
        """Return the request that begins with what a step shows, and makes a picture of it.

        Args:
            step: 1 to all of them.
            request: That was planned, with a prompt.

        Raises:
            UsageError: If the image has no such step.
        """
        steps = self.request.num_inference_steps
        if not 1 <= step <= steps:
            raise UsageError(f"--back-from must be between 1 and {steps}, got {step}.")
        return replace(request, num_inference_steps=steps, strength=strength_of(steps, step))


def plan_dissolve(
    request: GenerationRequest,
    output: str | None,
    settings: RunSettings,
    *,
    spec: ModelSpec | None = None,
    download: bool = True,
) -> DissolvePlan | DownloadPlan:
    """Plan to dissolve a picture.

    Args:
        request: With the picture, the model, the scheduler, the steps and the seed; it may be
            without a prompt.
        output: As for `sheepgen.execution.plan.plan_run`.
        settings: How it is computed and saved.
        spec: The model, if it was found before.
        download: Whether a model that is not on this disk is downloaded; otherwise what that would
            take is returned.

    Raises:
        UsageError: If the picture cannot be used, or the model cannot start from one.
        ModelError: If the model cannot be had.
    """
    request = replace(request, strength=1.0)
    layout = settings.layout(parse_output(output, several=False, default=DISSOLVED_OUTPUT))
    check_init_image(request)
    found = find_or_plan_download(
        spec or request.model_reference,
        [request.adapters],
        offline=settings.offline,
        download=download,
    )
    if isinstance(found, DownloadPlan):
        return found
    resolved = found.resolve(request, needs_prompt=False)
    settings.engine.call(check_device, settings.device.device)
    settings.engine.call(check_schedules, found, [resolved])
    return DissolvePlan(
        spec=found,
        request=resolved,
        settings=settings,
        layout=layout,
        target=free_target(layout.template.target(resolved, 1, ""), overwrite=layout.overwrite),
        notes=init_image_notes([resolved]),
    )


def run_dissolve(plan: DissolvePlan) -> Generator[RunEvent | PictureDissolved, None, None]:
    """Dissolve a picture and save its steps.

    Args:
        plan: From `plan_dissolve`.

    Yields:
        `ModelLoading`, what `sheepgen.pipeline.forward.stream_forward` does, `PictureDissolved`.

    Raises:
        UsageError: If the device does not go with the dtype, or the decoder is unknown.
        ModelError: If the model is damaged.
        OutputError: If the folder cannot be written to.
    """
    yield from prepare_folders([plan.target.folder])
    reference = plan.request.model_reference
    yield ModelLoading(model=str(reference))
    from sheepgen.execution.local import LocalExecutor
    from sheepgen.pipeline.forward import stream_forward

    executor = LocalExecutor({reference: plan.spec}, options=plan.settings.device)
    model = executor.load(reference, plan.request.adapters, [plan.request])
    frames: list[FrameDecoded] = []
    running = stream_forward(cast("Model", model), plan.request, plan.settings.frame_decoder)
    with closing(running):
        for event in running:
            if isinstance(event, FrameDecoded):
                frames.append(event)
            yield event
    source = ArtifactSource(image=None, record=None, frames=frames, key="")
    paths = save_artifacts(
        source, plan.layout.frames, plan.target, image=None, overwrite=plan.layout.overwrite
    )
    yield PictureDissolved(request=plan.request, artifacts=paths)
