"""What the drawing commands share: an executor that Ctrl-C stops, and telling what it makes."""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sheepgen.cli.console import error_stream, note, write_data
from sheepgen.cli.interrupt import StoppableExecutor, stop_flag
from sheepgen.events import ImageSaved, RunFailed
from sheepgen.execution.timing import PastRun, record_run
from sheepgen.output.jsonl import to_json_line, write_progress
from sheepgen.output.progress import counted_labels, show_progress, spinner

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from rich.console import Console

    from sheepgen.events import RunEvent
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, FrameOptions
    from sheepgen.request import ResolvedRequest

__all__ = ["check_device", "local_executor", "log_failure", "record_runs", "tell_images"]

_log = logging.getLogger(__name__)


def check_device(device: str) -> None:
    """Refuse a device that was asked for by name, and that torch does not see.

    Raises:
        UsageError: If this machine has no such device.
    """
    if device not in ("auto", "cpu"):
        from sheepgen.pipeline.device import resolve_device

        resolve_device(device)


@contextmanager
def local_executor(
    specs: Mapping[str, ModelSpec],
    options: DeviceOptions,
    *,
    frames: FrameOptions | None,
    console: Console,
) -> Iterator[StoppableExecutor]:
    """Load the first of the models and make an executor; Ctrl-C stops it behind a step.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the format.
        ModelError: If the model is damaged.
    """
    first = next(iter(specs))
    with spinner(console, f"Loading {first}"):
        from sheepgen.execution.local import LocalExecutor

        executor = LocalExecutor(specs, options=options, frames=frames)
        executor.load(first)

    def say_stopping() -> None:
        note(console, "Stopping after this step; Ctrl-C again stops at once.")

    with stop_flag(say_stopping) as flag:
        yield StoppableExecutor(executor, flag)


def record_runs(
    events: Generator[RunEvent], specs: Mapping[str, ModelSpec], options: DeviceOptions
) -> Generator[RunEvent]:
    """Pass events on, and remember for the next time's estimate what each image took."""
    from sheepgen.pipeline.device import peak_memory, resolve_device

    with closing(events):
        for event in events:
            if isinstance(event, ImageSaved):
                made = event.record.environment
                share = event.elapsed_s / made.batch_size
                record_run(
                    event.request,
                    PastRun(
                        seconds_per_step=round(share / event.request.num_inference_steps, 5),
                        peak_bytes=peak_memory(resolve_device(made.device)),
                        batch_size=made.batch_size,
                    ),
                    model_sha256=specs[event.request.model].sha256,
                    options=options,
                )
            yield event


def tell_images(
    events: Generator[RunEvent],
    console: Console,
    *,
    details: Mapping[ResolvedRequest, str],
    json_details: bool = False,
    json: bool,
    progress_json: bool,
    keep_going: bool,
) -> int:
    """Show how images come along; each finished one is one line on standard output.

    Args:
        events: With an `ImageSaved` behind every `RunFinished`.
        console: For the bar and notes.
        details: What tells each image from the others.
        json_details: Whether JSON progress has that, too.
        json: Whether the line is JSON instead of the image's path; failed ones have one then, too.
        progress_json: Whether progress is JSON lines instead of a bar.
        keep_going: Whether a failed image is counted instead of raised.

    Returns:
        How many images failed.

    Raises:
        Interrupted: If Ctrl-C cut it short; images that are finished stay.
    """
    failed = 0
    shown = events
    if progress_json:
        labels: dict[ResolvedRequest, dict[str, int | str]] = {
            request: {"image": number, **({"detail": detail} if json_details else {})}
            for number, (request, detail) in enumerate(details.items(), start=1)
        }
        shown = write_progress(events, error_stream(), labels)
    if not keep_going:
        shown = _until_failure(shown, json=json)
    if not progress_json:
        shown = show_progress(shown, console, counted_labels(details), images=len(details))
    with closing(events), closing(shown):
        for event in shown:
            match event:
                case ImageSaved():
                    write_data(to_json_line(event) if json else str(event.path))
                case RunFailed():
                    failed += 1
                    log_failure(event)
                    if json:
                        write_data(to_json_line(event))
                case _:
                    pass
    return failed


def log_failure(failed: RunFailed) -> None:
    """Log with its traceback what an image failed with, where the others go on."""
    _log.debug("%s", failed.error, exc_info=failed.error)


def _until_failure(events: Generator[RunEvent], *, json: bool) -> Generator[RunEvent]:
    """Pass events on; raise what a run failed with, behind its JSON line."""
    with closing(events):
        for event in events:
            if isinstance(event, RunFailed):
                if json:
                    write_data(to_json_line(event))
                raise event.error
            yield event
