"""Run a batch: generate each job as soon as its line is there, and answer it: `run_batch`."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.batch.plan import JobAnswered, JobPlanner, PlannedJob, failed_line
from sheepgen.errors import OutputError
from sheepgen.events import ImageSaved, Notice, RunEvent, RunFailed, Waiting
from sheepgen.execution.checks import device_warnings
from sheepgen.execution.run import load_executor, prepare_folders
from sheepgen.execution.settings import RunSettings
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.models.hub import DownloadPlan, DownloadProgress, download
from sheepgen.output.images import save_images
from sheepgen.output.jsonl import error_to_dict, outcome_to_dict

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from sheepgen.execution.executor import Executor
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.images import OutputLayout
    from sheepgen.presets import Presets
    from sheepgen.shard import Shard

__all__ = ["BatchEvent", "BatchStarted", "JobStarted", "run_batch", "run_job"]

_WAIT_S = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchStarted:
    """The model that jobs use by default is loaded; the first line is about to be read."""

    spec: ModelSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStarted:
    """A job is about to be generated; what follows until its `JobAnswered` is of this job."""

    job: PlannedJob


BatchEvent = RunEvent | BatchStarted | JobStarted | JobAnswered | DownloadPlan | DownloadProgress
"""What happens in a batch. A `DownloadPlan` is followed by its download's progress."""


def run_batch(
    lines: Iterable[tuple[int, str]],
    output: str | None = None,
    settings: RunSettings | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
    presets: Presets | None = None,
    shard: Shard | None = None,
    resume: bool = False,
    fail_fast: bool = False,
) -> Generator[BatchEvent]:
    """Generate the image of each line and save it.

    The next line is taken when the last one is answered, so lines may come from a pipe. A line
    that fails does not stop the others. Closing the generator stops the work; what is answered
    stays.

    Args:
        lines: Jobs with their numbers: each a JSON object, as `sheepgen.batch.jobs` says, or
            a prompt alone.
        output: A folder with a slash at its end, or a template, as ``--output`` takes it.
        settings: How images are generated and saved.
        defaults: Fields of the request that lines may omit, such as ``model``.
        presets: Names that models and LoRAs may have in lines and defaults.
        shard: The only one whose jobs are answered; None for all. Every shard is given all lines,
            and every job has a seed. A line that is not a job is one shard's, too.
        resume: Answer for an image that the folder has already, instead of generating it again.
            Without it, jobs are independent: two equal ones are two images.
        fail_fast: Stop after the first job that fails.

    Yields:
        A `JobAnswered` for each line of the shard, which is in the folder's manifest by then, and
        before it what happens to the job.

    Raises:
        UsageError: If no job could be right, or this machine has no such device.
        ModelError: If the default model cannot be had.
        OutputError: If the folder cannot be written to, or the disk is full.
    """
    settings = settings or RunSettings()
    planner = JobPlanner(output, settings, defaults or {}, presets, shard)
    yield from _download_missing(planner)
    yield from prepare_folders([planner.folder], shard)
    specs = tuple(planner.specs.values())
    for warning in settings.engine.call(device_warnings, specs, settings.device):
        yield Notice(message=warning)
    executor = yield from load_executor(planner.specs, settings, adapters=planner.adapters)
    yield BatchStarted(spec=planner.specs[planner.model])
    with WorkQueue(planner.folder, shard=shard) as queue:
        for line, text in lines:
            try:
                job = yield from _plan(planner, line, text)
                if job is None:
                    continue
                queue.add_folder(job.target.folder)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other lines go on
                if not planner.reports(line):
                    continue
                answered = failed_line(line, text, error)
            else:
                answered = yield from run_job(job, executor, queue, planner.layout, resume=resume)
            yield answered
            if fail_fast and answered.failed:
                return


def run_job(
    job: PlannedJob, executor: Executor, queue: WorkQueue, layout: OutputLayout, *, resume: bool
) -> Generator[RunEvent | JobStarted | JobAnswered, None, JobAnswered]:
    """Generate one job and record it in the manifest.

    With ``resume``, an image that another process is generating is waited for.

    Returns:
        The answer, which is still to be yielded.

    Raises:
        OutputError: If the disk is full; the failed answer has been yielded then.
    """
    outcome: ImageSaved | RunFailed | None = None
    try:
        if resume:
            while (claim := queue.claim(job.key)) == "taken":
                yield Waiting(requests=(job.request,))
                time.sleep(_WAIT_S)
            if claim == "done":
                entry = queue.done_entry(job.key)
                del entry["key"]
                return _answer(job, {**entry, "cached": True})
        yield JobStarted(job=job)
        with (
            closing(executor.run([[job.request]])) as running,
            closing(save_images(running, layout, {job.request: job.target})) as events,
        ):
            for event in events:
                if isinstance(event, ImageSaved | RunFailed):
                    queue.record(job.key, event)
                    outcome = event
                yield event
    except OutputError as error:
        yield _answer(job, {"status": "failed", "error": error_to_dict(error)})
        raise
    assert outcome is not None, "an executor ends every request with one"
    return _answer(job, outcome_to_dict(outcome))


def _plan(
    planner: JobPlanner, line: int, text: str
) -> Generator[Notice | DownloadPlan | DownloadProgress, None, PlannedJob | None]:
    """Plan a line, after downloading what of it is not on this disk."""
    while isinstance(job := (yield from planner.plan(line, text)), DownloadPlan):
        yield job
        yield from download(job)
    return job


def _download_missing(planner: JobPlanner) -> Generator[DownloadPlan | DownloadProgress]:
    while isinstance(found := planner.find(planner.model, planner.adapters), DownloadPlan):
        yield found
        yield from download(found)


def _answer(job: PlannedJob, details: Mapping[str, Any]) -> JobAnswered:
    answer = {"line": job.line, "id": job.id, **details}
    return JobAnswered(line=job.line, job=job, answer=answer)
