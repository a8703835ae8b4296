"""Plans carried out: images generated, saved and remembered, as a stream of events.

Closing the stream stops the work, wherever it is; nothing half-written remains.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from sheepgen.adapters import Adapters
from sheepgen.events import (
    AnimationSaved,
    ContactSheetSaved,
    ImageSaved,
    ModelLoading,
    Notice,
    RunFailed,
    RunStarted,
    StepCompleted,
    SweepPageSaved,
    Waiting,
)
from sheepgen.execution.executor import in_batches
from sheepgen.output.atomic import prepare_folder
from sheepgen.output.images import save_images
from sheepgen.output.step_sheet import write_step_sheet

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sheepgen.events import RunEvent
    from sheepgen.execution.executor import Executor
    from sheepgen.execution.plan import RunPlan
    from sheepgen.execution.settings import RunSettings
    from sheepgen.execution.work_queue import WorkQueue
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.images import OutputLayout
    from sheepgen.output.template import Target
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.shard import Shard

__all__ = [
    "load_executor",
    "make_images",
    "prepare_folders",
    "run_plan",
    "stop_message",
]

_E = TypeVar("_E")

_WAIT_S = 0.2


def run_plan(plan: RunPlan, *, sheet: bool = False) -> Generator[RunEvent]:
    """Generate the images of a plan and save them.

    Args:
        plan: From `sheepgen.execution.plan.plan_run`.
        sheet: Whether all of them are drawn on a sheet at the end, with their steps if those are
            saved.

    Yields:
        What `sheepgen.events` lists; `ImageSaved` or `RunFailed` is the last of each image, and
        `ContactSheetSaved` of each page comes at the end.

    Raises:
        UsageError: If the device does not go with the dtype.
        ModelError: If the model is damaged.
        OutputError: If a folder cannot be written to.
    """
    yield from prepare_folders(target.folder for target in plan.targets.values())
    specs = {plan.requests[0].model_reference: plan.spec}
    executor = yield from load_executor(specs, plan.settings, plan.requests[:1])
    batches = in_batches(plan.requests, executor)
    saved: list[ImageSaved] = []
    with (
        closing(executor.run(batches)) as running,
        closing(save_images(running, plan.layout, plan.targets)) as events,
    ):
        for event in events:
            if isinstance(event, ImageSaved):
                saved.append(event)
            yield event
    if sheet and saved:
        for path in write_step_sheet(saved):
            yield ContactSheetSaved(path=path)


def prepare_folders(folders: Iterable[Path], shard: Shard | None = None) -> Iterator[Notice]:
    """Make folders and try their locks, so that nothing is generated that cannot be saved.

    Args:
        folders: They need not be there.
        shard: Whose images go there; None for all.

    Yields:
        A `Notice` if a file system has no locks.

    Raises:
        OutputError: If one of them cannot be written to.
    """
    unlocked = [folder for folder in sorted(set(folders)) if not prepare_folder(folder)]
    if unlocked:
        usage = (
            "Use it from one process at a time, or from several with --shard, a share of a sweep "
            "or batch for each: otherwise they could generate the same image twice, or replace "
            "each other's files."
        )
        if shard is not None:
            usage = "Shards need none, as long as only one process runs each."
        yield Notice(
            message=f"The file system of {unlocked[0]} has no locks. {usage} What a killed run "
            "leaves there (.sheepgen-*, .claim-*) is not cleaned up."
        )


def load_executor(
    specs: Mapping[ModelReference, ModelSpec],
    settings: RunSettings,
    images: Sequence[ResolvedRequest] = (),
    *,
    adapters: Adapters | None = None,
) -> Generator[ModelLoading, None, Executor]:
    """Load the first of the models, and return an executor for all of them.

    Args:
        specs: As requests name them.
        settings: How images are generated.
        images: The first image, if it is known.
        adapters: What the first images add to the first model, if they are not known.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the dtype.
        ModelError: If the model is damaged.
    """
    first = next(iter(specs))
    yield ModelLoading(model=str(first))
    return settings.engine.load_executor(
        specs,
        settings.device,
        settings.frame_options(),
        settings.command,
        first=first,
        adapters=images[0].adapters if images else adapters or Adapters(),
        images=images,
    )


def make_images(
    keys: Mapping[ResolvedRequest, str],
    executor: Executor,
    queue: WorkQueue,
    layout: OutputLayout,
    targets: Mapping[ResolvedRequest, Target],
) -> Generator[RunEvent]:
    """Generate the images of a folder that are not there yet, each in one process alone.

    An image that another process is generating is waited for, with `Waiting` several times a
    second; should that process die, it is generated here. Every `ImageSaved` and `RunFailed` is in
    the manifest when it is passed on.

    Args:
        keys: Resolved requests and the keys of their images.
        executor: Generates them.
        queue: Of the folder that they go to.
        layout: What is saved of each.
        targets: Where each one goes, inside the queue's folder; what was made for it is replaced.

    Raises:
        OutputError: If the disk is full, or the folder cannot be written to.
    """
    left = list(keys)
    while left:
        with (
            closing(executor.run(_claimed(keys, left, queue, executor))) as running,
            closing(save_images(running, layout, targets, queue.manifest)) as events,
        ):
            for event in events:
                if isinstance(event, ImageSaved | RunFailed):
                    queue.record(keys[event.request], event)
                yield event
        left = [request for request in left if keys[request] in queue.taken]
        if left:
            yield Waiting(requests=tuple(left))
            time.sleep(_WAIT_S)


def _claimed(
    keys: Mapping[ResolvedRequest, str],
    requests: Iterable[ResolvedRequest],
    queue: WorkQueue,
    executor: Executor,
) -> Iterator[list[ResolvedRequest]]:
    """Yield the requests that this process is to carry out, each claimed when it is yielded.

    Args:
        keys: Of all images.
        requests: That are to be claimed.
        queue: Of the folder; it knows afterwards which of them another process has taken.
        executor: Decides how many are generated together.
    """
    for batch in in_batches(requests, executor):
        if claimed := [each for each in batch if queue.claim(keys[each]) == "claimed"]:
            yield claimed


def stop_message(event: object) -> str | None:
    """Return what to say if work stops at this event, or None if it must not stop here.

    An image whose steps are all done is still finished.
    """
    match event:
        case RunStarted():
            return "Stopped before the first step."
        case StepCompleted() if event.step < event.total_steps:
            return f"Stopped after step {event.step} of {event.total_steps}."
        case Waiting():
            return "Stopped while another process was generating the rest."
        case ContactSheetSaved() | SweepPageSaved() | AnimationSaved():
            return f"Stopped after {event.path.name}."
        case _:
            return None
