"""Images on the command line: planned, generated with a bar, and a line for each that is saved."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.branch import describe_branch
from sheepgen.cli.console import error_stream, note, write_data
from sheepgen.cli.download import show_download
from sheepgen.cli.dry_run import print_download, print_plan
from sheepgen.cli.interrupt import stopped_by_interrupts
from sheepgen.events import ImageSaved, RunFailed
from sheepgen.execution import plan as planning
from sheepgen.execution.run import run_plan
from sheepgen.models.hub import DownloadPlan, go_offline
from sheepgen.output.jsonl import to_json_line, write_progress
from sheepgen.output.progress import counted_labels, show_progress, spinner
from sheepgen.output.terminal_picture import can_show_pictures, check_terminal_pictures
from sheepgen.request import EMBEDDED_MODEL, TEMPLATES
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

    from rich.console import Console

    from sheepgen.events import RunEvent
    from sheepgen.execution.plan import RunPlan
    from sheepgen.execution.settings import RunSettings
    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import GenerationRequest
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["can_preview", "generate_images", "plan_images", "print_images"]

_log = logging.getLogger(__name__)

_NEEDS_SCIPY = "LMSDiscreteScheduler"
"""Class of the schedulers that integrate."""


def can_preview(console: Console, *, wanted: bool) -> bool:
    """Return whether pictures are shown in the terminal as they come, and say so if they cannot be.

    Raises:
        UsageError: If the package for it is not installed.
    """
    if not wanted:
        return False
    if not can_show_pictures(console):
        note(console, "Warning: --preview has no effect without a terminal.")
        return False
    check_terminal_pictures("--preview")
    return True


def plan_images(
    request: GenerationRequest,
    output: str | None,
    settings: RunSettings,
    console: Console,
    *,
    downloads: Console | None = None,
    count: int,
    spec: ModelSpec | None = None,
    templates: Collection[str] = TEMPLATES,
    branches: Sequence[str] = (),
    dry_run: bool,
    json: bool,
) -> RunPlan | None:
    """Plan a run, after downloading with a bar what of it is not here.

    Args:
        request: The first image.
        output: Where the images go, as typed.
        settings: How they are generated and saved.
        console: For a spinner.
        downloads: For the bar of a download; None for the same.
        count: How many images.
        spec: The model, if it was found before.
        templates: Fields that are templates.
        branches: As `sheepgen.execution.plan.plan_run` takes them.
        dry_run: Whether nothing is downloaded.
        json: Whether output is JSON.

    Returns:
        The plan; None after a dry run that has printed what the download would take.
    """
    if settings.offline:
        go_offline()
    # What is compiled needs diffusers as it is.
    if _is_small(request) and not settings.device.compiled:
        settings = replace(settings, engine=settings.engine.for_embedded_model())
    while True:
        with spinner(console, "Preparing"):
            plan = planning.plan_run(
                request,
                output,
                settings,
                count=count,
                spec=spec,
                templates=templates,
                branches=branches,
                download=False,
            )
        if not isinstance(plan, DownloadPlan):
            return plan
        if dry_run:
            print_download(plan, json=json)
            return None
        show_download(downloads or console, plan)


def _is_small(request: GenerationRequest) -> bool:
    """Return whether little of diffusers is needed for an image."""
    scheduler = SCHEDULERS.get(request.scheduler or "")
    needs_scipy = scheduler is not None and scheduler.class_name == _NEEDS_SCIPY
    return request.model == EMBEDDED_MODEL and not needs_scipy


def generate_images(
    plan: RunPlan,
    console: Console,
    notes: Iterable[str],
    *,
    sheet: bool = False,
    dry_run: bool,
    json: bool,
    progress_json: bool,
    verbose: bool,
) -> None:
    """Carry a plan out, or print it in a dry run; the first image that fails ends it.

    Args:
        plan: From `plan_images`.
        console: For progress and notes.
        notes: Further sentences for the user.
        sheet: Whether there is to be a sheet of all images.
        dry_run: Whether to print the plan instead.
        json: Whether output is JSON.
        progress_json: Whether progress is JSON lines instead of a bar.
        verbose: Whether to say which model it is.
    """
    spec = plan.spec
    if verbose:
        note(console, f"Model {spec.name} in {spec.checkpoint.path}, sha256 {spec.sha256}.")
    if dry_run:
        print_plan(plan, json=json)
        return
    for text in (*plan.prompt_notes, *plan.image_notes, *notes, *plan.warnings):
        note(console, text)
    details = {
        request: describe_branch(request.branch) or f"seed {request.seed}"
        for request in plan.requests
    }
    events = run_plan(plan, sheet=sheet)
    print_images(
        events,
        console,
        details,
        json=json,
        progress_json=progress_json,
        preview=plan.settings.preview,
    )


def print_images(
    events: Generator[RunEvent],
    console: Console,
    details: Mapping[ResolvedRequest, str],
    *,
    json: bool,
    progress_json: bool,
    keep_going: bool = False,
    json_details: bool = False,
    preview: bool = False,
) -> int:
    """Generate images and show how they come along; each finished one is a line of output.

    Ctrl-C stops after the current step.

    Args:
        events: Of a run.
        console: For progress and notes.
        details: What distinguishes each image from the others, of all that there will be.
        json: Whether the line is JSON instead of the image's path; failed ones have one then, too.
        progress_json: Whether progress is JSON lines instead of a bar.
        keep_going: Whether a failed image is counted instead of raised.
        json_details: Whether lines of JSON progress have ``details``, too.
        preview: Whether steps are shown, as `can_preview` returns it.

    Returns:
        How many images failed.

    Raises:
        Interrupted: If Ctrl-C cut it short; images that are finished stay.
    """
    failed = 0
    shown = stopped_by_interrupts(events, console)
    if progress_json:
        numbers: dict[ResolvedRequest, dict[str, int | str]] = {
            request: {"image": number, **({"detail": detail} if json_details else {})}
            for number, (request, detail) in enumerate(details.items(), start=1)
        }
        shown = write_progress(shown, error_stream(), numbers)
    else:
        labels = counted_labels(details)
        shown = show_progress(shown, console, labels, images=len(details), preview=preview)
    with closing(events), closing(shown):
        for event in shown:
            match event:
                case ImageSaved():
                    write_data(to_json_line(event) if json else str(event.path))
                case RunFailed():
                    if json:
                        write_data(to_json_line(event))
                    if not keep_going:
                        raise event.error
                    failed += 1
                    _log.debug("%s", event.error, exc_info=event.error)
                case _:
                    pass
    return failed
