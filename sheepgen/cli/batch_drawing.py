"""A batch carried out, or told with ``--dry-run``: one JSON line on standard output a job."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from sheepgen.batch.jobs import job_id
from sheepgen.batch.run import Batch, failed_answer
from sheepgen.cli.console import error_stream, note, write_data
from sheepgen.cli.drawing import local_executor, log_failure
from sheepgen.cli.dry_run import WouldDownloadError
from sheepgen.cli.interrupt import taken_at_once
from sheepgen.errors import OutputError, SheepgenError
from sheepgen.events import ImageSaved, RunFailed
from sheepgen.execution.run import prepare_folders
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.models.spec import outside_warnings
from sheepgen.options import DeviceOptions
from sheepgen.output.images import save_images
from sheepgen.output.jsonl import write_progress
from sheepgen.output.ownership import free_target
from sheepgen.output.progress import show_progress
from sheepgen.sanitize import first_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from sheepgen.batch.run import Answer, PlannedJob
    from sheepgen.cli.batch_plan import JobPlanner
    from sheepgen.options import FrameOptions
    from sheepgen.output.images import OutputLayout
    from sheepgen.output.template import Target
    from sheepgen.request import ResolvedRequest

__all__ = ["draw_jobs", "rehearse_jobs"]


def draw_jobs(
    lines: Iterator[tuple[int, str]],
    planner: JobPlanner,
    layout: OutputLayout,
    *,
    device: str,
    frames: FrameOptions | None,
    progress_json: bool,
    resume: bool,
    fail_fast: bool,
    console: Console,
) -> int:
    """Draw a job as soon as its line is there, and answer it as soon as its image is on disk.

    Args:
        lines: With their numbers.
        planner: Which has found the model to begin with.
        layout: What is saved of each image.
        device: As asked for.
        frames: Which frames are drawn on the way.
        progress_json: Whether progress is JSON lines instead of a bar.
        resume: Whether images that are there already are answered for.
        fail_fast: Whether the first job that fails is the last.
        console: For the bar and notes.

    Returns:
        How many jobs failed.

    Raises:
        OutputError: If the disk is full; what is whole stays.
        Interrupted: If Ctrl-C cut it short; what is answered stays.
    """
    answers: Counter[str] = Counter()

    def tell(answer: Answer) -> None:
        write_data(json.dumps(answer))
        answers[answer["status"]] += 1

    def wanted_lines() -> Iterator[tuple[int, str]]:
        while not (fail_fast and answers["failed"]) and (line := next(lines, None)):
            yield line

    for notice in prepare_folders({planner.template.home}):
        note(console, notice.message)
    options = DeviceOptions(device=device, dtype=planner.dtype)
    drawing = local_executor(planner.specs, options, frames=frames, console=console)
    with WorkQueue(planner.template.home) as ledger, drawing as executor:
        batch = Batch(
            ledger, resume=resume, tell=tell, note=partial(note, console), wait=executor.wait
        )
        awaited = taken_at_once(wanted_lines(), executor.flag)
        targets: dict[ResolvedRequest, Target] = {}

        def batches() -> Iterator[list[ResolvedRequest]]:
            for request in batch.requests(awaited, planner.plan):
                targets[request] = batch.current.target
                labels[request] = f"Line {batch.current.line}, seed {request.seed}"
                json_labels[request] = {"line": batch.current.line}
                yield [request]

        labels: dict[ResolvedRequest, str] = {}
        json_labels: dict[ResolvedRequest, dict[str, int]] = {}
        with closing(executor.run(batches())) as running:
            saved = save_images(running, layout, targets)
            if progress_json:
                shown = write_progress(saved, error_stream(), json_labels)
            else:
                shown = show_progress(saved, console, labels, images=None)
            with closing(shown):
                try:
                    for event in shown:
                        if isinstance(event, RunFailed):
                            log_failure(event)
                        if isinstance(event, ImageSaved | RunFailed):
                            batch.finish(event)
                except OutputError as error:
                    batch.give_up(error)
                    raise
    if answers["failed"]:
        note(console, f"{answers['failed']} of {answers.total()} jobs failed.")
    return answers["failed"]


def rehearse_jobs(
    lines: Iterable[tuple[int, str]], planner: JobPlanner, *, overwrite: bool, console: Console
) -> int:
    """Tell of every line what would be drawn into which file, or why not.

    The request and the path of a job whose model is not here are not known yet; how many bytes
    there are ``to_fetch`` stands in their place.

    Returns:
        How many lines are bad.
    """
    good, bad = 0, []
    for number, text in lines:
        try:
            job = planner.plan(number, text)
            answer = _planned(job, overwrite=overwrite)
            answer["warnings"] = outside_warnings([job.request], planner.specs)
        except WouldDownloadError as would:
            size = would.plan.total_bytes
            answer = {"line": number, "id": job_id(text), "status": "planned", "to_fetch": size}
        except SheepgenError as error:
            answer = failed_answer(number, text, error)
            bad.append(str(number))
        write_data(json.dumps(answer))
        good += answer["status"] == "planned"
    note(
        console,
        f"{good} good, {len(bad)} bad" + (f": line {', '.join(first_of(bad))}" if bad else ""),
    )
    return len(bad)


def _planned(job: PlannedJob, *, overwrite: bool) -> Answer:
    target = free_target(job.target, overwrite=overwrite)
    return {
        "line": job.line,
        "id": job.id,
        "status": "planned",
        "path": str(target.path),
        "request": asdict(job.request),
    }
