"""``sheepgen batch``: many different jobs with one loaded model, JSON lines in and out."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import closing, contextmanager
from threading import Event as Flag
from typing import TYPE_CHECKING

import typer

from sheepgen.cli import batch_options as own
from sheepgen.cli import options
from sheepgen.cli.console import cli_errors, error_console, error_stream, note, write_data
from sheepgen.cli.interrupt import stopped_by_interrupts, taken_at_once
from sheepgen.cli.sweep_options import FailFastOpt
from sheepgen.errors import UsageError
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt, plural
from sheepgen.untrusted_file import open_named

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import BinaryIO

    from rich.console import Console

    from sheepgen.batch.plan import JobAnswered
    from sheepgen.batch.run import BatchEvent
    from sheepgen.events import Notice
    from sheepgen.request import ResolvedRequest

__all__ = ["batch", "open_jobs"]

_log = logging.getLogger(__name__)


def batch(
    jobs: own.JobsArg = None,
    *,
    negative_prompt: options.NegativePromptOpt = "",
    seed: options.SeedOpt = None,
    variation_seed: options.VariationSeedOpt = None,
    variation_strength: options.VariationStrengthOpt = 0.0,
    width: options.WidthOpt = None,
    height: options.HeightOpt = None,
    size: options.SizeOpt = None,
    model: options.ModelOpt = EMBEDDED_MODEL,
    steps: options.StepsOpt = None,
    guidance: options.GuidanceOpt = None,
    guidance_rescale: options.GuidanceRescaleOpt = 0.0,
    eta: options.EtaOpt = 0.0,
    scheduler: options.SchedulerOpt = None,
    device: options.DeviceOpt = "auto",
    dtype: options.DtypeOpt = "auto",
    output: own.JobsOutputOpt = None,
    frames: options.FramesOpt = "none",
    frame_decoder: options.FrameDecoderOpt = "auto",
    overwrite: options.OverwriteOpt = False,
    resume: own.JobsResumeOpt = False,
    fail_fast: FailFastOpt = False,
    strict: options.StrictOpt = False,
    offline: options.OfflineOpt = False,
    dry_run: options.DryRunOpt = False,
    schema: own.SchemaOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Read jobs as JSON lines and print one JSON result per job. Options set defaults for jobs."""
    with cli_errors(verbose=verbose):
        from sheepgen.batch.job_schema import job_schema
        from sheepgen.batch.jobs import read_lines
        from sheepgen.batch.plan import plan_batch
        from sheepgen.batch.run import run_batch
        from sheepgen.cli.parsing import read_size
        from sheepgen.execution.plan import RunSettings
        from sheepgen.models.hub import go_offline
        from sheepgen.options import DeviceOptions

        if schema:
            write_data(json.dumps(job_schema(), indent=2))
            return
        console = error_console(quiet=quiet or progress_json)
        width, height = read_size(size, width, height)
        defaults = {
            "negative_prompt": negative_prompt,
            "seed": seed,
            "variation_seed": variation_seed,
            "variation_strength": variation_strength,
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "guidance_rescale": guidance_rescale,
            "eta": eta,
            "width": width,
            "height": height,
            "scheduler": scheduler,
            "model": model,
        }
        settings = RunSettings(
            device=DeviceOptions(device=device, dtype=dtype),
            frames=frames,
            frame_decoder=frame_decoder,
            overwrite=overwrite,
            strict=strict,
            offline=offline,
        )
        if offline:
            go_offline()
        with open_jobs(jobs) as file:
            lines = read_lines(file)
            if dry_run:
                planned = plan_batch(lines, output, settings, defaults=defaults)
                if _print_plans(planned, console):
                    raise typer.Exit(2)
                return
            stopped = Flag()
            events = run_batch(
                taken_at_once(lines, stopped),
                output,
                settings,
                defaults=defaults,
                resume=resume,
                fail_fast=fail_fast,
            )
            events = stopped_by_interrupts(events, console, stopped)
            if _print_answers(events, console, progress_json=progress_json, verbose=verbose):
                raise typer.Exit(3)


def _print_plans(events: Iterable[JobAnswered | Notice], console: Console) -> int:
    """Print what would be done for each line, and return how many lines failed."""
    from sheepgen.events import Notice
    from sheepgen.sanitize import first_of

    good, bad = 0, []
    for event in events:
        if isinstance(event, Notice):
            note(console, event.message)
            continue
        write_data(json.dumps(event.answer))
        if event.failed:
            bad.append(str(event.line))
        else:
            good += 1
    lines = f": line {', '.join(first_of(bad))}" if bad else ""
    note(console, f"{good} good, {len(bad)} bad{lines}")
    return len(bad)


def _print_answers(
    events: Generator[BatchEvent], console: Console, *, progress_json: bool, verbose: bool
) -> int:
    """Show how the jobs come along, print their answers, and return how many failed."""
    from sheepgen.batch.plan import JobAnswered
    from sheepgen.batch.run import BatchStarted
    from sheepgen.cli.download import downloads_shown
    from sheepgen.events import RunFailed
    from sheepgen.output.jsonl import write_progress
    from sheepgen.output.progress import show_progress

    labels: dict[ResolvedRequest, str] = {}
    json_labels: dict[ResolvedRequest, dict[str, int]] = {}
    shown = _labelled(downloads_shown(events, console), labels, json_labels)
    if progress_json:
        shown = write_progress(shown, error_stream(), json_labels)
    else:
        shown = show_progress(shown, console, labels, images=None)
    answered = failed = 0
    with closing(events), closing(shown):
        for event in shown:
            match event:
                case BatchStarted(spec=spec) if verbose:
                    note(console, f"Model {spec.name} in {spec.folder}, sha256 {spec.sha256}.")
                case RunFailed():
                    _log.debug("%s", event.error, exc_info=event.error)
                case JobAnswered(answer=answer):
                    answered += 1
                    failed += event.failed
                    write_data(json.dumps(answer))
                    if answer.get("cached"):
                        note(console, f"Line {event.line}: already exists, {answer['path']}")
                    elif event.job is None:
                        message, hint = answer["error"]["message"], answer["error"]["hint"]
                        note(console, f"Line {event.line}: failed. {message} {hint}".rstrip())
                case _:
                    pass
    if failed:
        note(console, f"{failed} of {plural(answered, 'job')} failed.")
    return failed


def _labelled(
    events: Generator[BatchEvent],
    labels: dict[ResolvedRequest, str],
    json_labels: dict[ResolvedRequest, dict[str, int]],
) -> Generator[BatchEvent]:
    """Pass events on, and label each request by its line when its job starts."""
    from sheepgen.batch.run import JobStarted

    with closing(events):
        for event in events:
            if isinstance(event, JobStarted):
                request = event.job.request
                labels[request] = f"Line {event.job.line}, seed {request.seed}"
                json_labels[request] = {"line": event.job.line}
            yield event


@contextmanager
def open_jobs(jobs: str | None) -> Iterator[BinaryIO]:
    """Open the file, or standard input if it is ``-`` or left out in a pipe.

    Raises:
        UsageError: If there is none.
    """
    if jobs is None or jobs == "-":
        if sys.stdin is None or (jobs is None and sys.stdin.isatty()):
            raise UsageError("There are no jobs.", "For example: sheepgen batch jobs.jsonl")
        yield sys.stdin.buffer
        return
    try:
        file = open_named(jobs, wait=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "No file has such a name"
        raise UsageError(
            f"Cannot read jobs from {excerpt(jobs, 200)}: {reason}.",
            "Use a file of JSON lines, a pipe, or - for standard input.",
        ) from error
    with file:
        yield file
