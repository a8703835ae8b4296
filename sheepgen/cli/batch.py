"""``sheepgen batch``: many different jobs with one loaded model, JSON lines in and out."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import options
from sheepgen.cli.console import error_console, error_stream, note, write_data
from sheepgen.cli.interrupt import stopped_by_interrupts, taken_at_once
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.errors import UsageError
from sheepgen.presets import Presets
from sheepgen.sanitize import excerpt, plural
from sheepgen.shell_command import TypedCommand
from sheepgen.untrusted_file import open_named

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import BinaryIO

    from rich.console import Console

    from sheepgen.batch.plan import JobAnswered
    from sheepgen.batch.run import BatchEvent
    from sheepgen.events import Notice
    from sheepgen.execution.memory import RunMemory
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["batch", "open_jobs"]

_log = logging.getLogger(__name__)


JobsArg = Annotated[
    str | None,
    typer.Argument(
        metavar="JOBS",
        help="A file with one job per line: a JSON object, or just a prompt. Use -, or pipe into "
        "the command, to read standard input.",
        show_default=False,
    ),
]
JobsOutputOpt = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A folder/, or a template inside one, as for `generate`; {index} is the line's "
        "number. A job's own output stays inside that folder. Defaults to outputs/.",
        show_default=False,
        rich_help_panel=options.OUTPUT,
    ),
]
JobsResumeOpt = Annotated[
    bool,
    typer.Option(
        "--resume",
        metavar="",
        help="Skip jobs whose image exists and report the existing one.",
        rich_help_panel=options.RUN,
    ),
]
SchemaOpt = Annotated[
    bool,
    typer.Option(
        "--schema",
        metavar="",
        help="Print the JSON Schema of a job and exit.",
        rich_help_panel=options.RUN,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOptions(options.RunOptions):
    """Options of a run that saves into one folder, one image at a time."""

    output: JobsOutputOpt = None
    frames: options.FramesOpt = "none"


@spread
def batch(
    jobs: JobsArg = None,
    *,
    fields: Annotated[dict[str, Any], RequestOptions("one", options.IMAGE_FIELDS)],
    run: BatchOptions,
    shard: options.ShardOpt = None,
    resume: JobsResumeOpt = False,
    fail_fast: options.FailFastOpt = False,
    schema: SchemaOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
    command: TypedCommand,
) -> None:
    """Read jobs as JSON lines and print one JSON result per job.

    Options are the defaults for fields that a job omits.
    """
    from sheepgen.batch.jobs import job_schema, read_lines
    from sheepgen.batch.plan import plan_batch
    from sheepgen.batch.run import run_batch
    from sheepgen.cli.piped_image import PIPE
    from sheepgen.models.hub import go_offline

    if schema:
        write_data(json.dumps(job_schema(), indent=2))
        return
    if fields["image"] == PIPE:
        raise UsageError("A batch cannot read a picture from a pipe.", "Give its path.")
    console = error_console(quiet=printed.quiet or progress_json)
    settings = run.settings(command=command)
    if run.offline:
        go_offline()
    with open_jobs(jobs) as file:
        lines = read_lines(file)
        if run.dry_run:
            planned = plan_batch(
                lines, run.output, settings, defaults=fields, presets=presets, shard=shard
            )
            if _print_plans(planned, console):
                raise typer.Exit(2)
            return
        stopped = Flag()
        events = run_batch(
            taken_at_once(lines, stopped),
            run.output,
            settings,
            defaults=fields,
            presets=presets,
            shard=shard,
            resume=resume,
            fail_fast=fail_fast,
        )
        events = stopped_by_interrupts(events, console, stopped)
        if _print_answers(events, console, progress_json=progress_json, verbose=printed.verbose):
            raise typer.Exit(3)


def _print_plans(events: Iterable[JobAnswered | Notice], console: Console) -> int:
    """Print what would be done for each line, and return how many lines failed."""
    from sheepgen.cli.dry_run import memory_rows
    from sheepgen.events import Notice
    from sheepgen.sanitize import first_of

    good, bad = 0, []
    memories: dict[str, RunMemory] = {}
    for event in events:
        if isinstance(event, Notice):
            note(console, event.message)
            continue
        write_data(json.dumps(event.answer))
        if event.failed:
            bad.append(str(event.line))
        else:
            good += 1
        if event.memory is not None:
            memories[f"{event.memory.model} {event.memory.size}"] = event.memory
    lines = f": {'line' if len(bad) == 1 else 'lines'} {', '.join(first_of(bad))}" if bad else ""
    note(console, f"{good} good, {len(bad)} bad{lines}")
    if memories:
        most = max(memories.values(), key=lambda memory: memory.needed_bytes)
        for label, text in memory_rows(most, largest=len(memories) > 1).items():
            note(console, f"{label:<16} {text}")
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
                    note(
                        console,
                        f"Model {spec.name} in {spec.checkpoint.path}, sha256 {spec.sha256}.",
                    )
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
            raise UsageError("No jobs given.", "For example: sheepgen batch jobs.jsonl")
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
