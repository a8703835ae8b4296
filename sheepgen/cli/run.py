"""What ``generate`` and ``rerun`` share: a request is planned, and told or carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.cli import dry_run as dry
from sheepgen.cli import plan as planning
from sheepgen.cli.console import note
from sheepgen.cli.drawing import check_device, local_executor, record_runs, tell_images
from sheepgen.cli.folders import prepare_folders
from sheepgen.cli.parsing import read_layout
from sheepgen.execution.batching import in_batches
from sheepgen.metadata.image_file import check_format
from sheepgen.models.hub import go_offline
from sheepgen.options import FrameDecoder, FrameOptions
from sheepgen.output.images import save_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console

    from sheepgen.cli.plan import RunPlan
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.options import DeviceOptions
    from sheepgen.request import GenerationRequest

__all__ = ["RunOptions", "carry_out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """What was typed about a run besides what is to be drawn, as `sheepgen.cli.options` has it."""

    count: int
    computing: DeviceOptions
    output: str | None
    frames: str
    frame_decoder: FrameDecoder
    overwrite: bool
    strict: bool
    offline: bool
    dry_run: bool
    json: bool
    progress_json: bool
    verbose: bool


def carry_out(
    request: GenerationRequest,
    options: RunOptions,
    console: Console,
    *,
    download: Callable[[DownloadPlan], None],
    remarks: Callable[[RunPlan], Iterable[str]],
) -> None:
    """Draw and save images, or tell the plan of it.

    Args:
        request: The first image; the others differ by their seeds, which count up from its own.
        options: How to go about it.
        console: For bars and notes.
        download: Fetches a model that is not here.
        remarks: Returns what to say about a plan before it is carried out.

    Raises:
        SheepgenError: Of whichever kind stands against it.
    """
    layout = read_layout(
        options.output,
        frames=options.frames,
        several=options.count > 1,
        overwrite=options.overwrite,
    )
    check_format(layout.template.suffix, request)
    if options.offline:
        go_offline()
    try:
        plan = planning.make_plan(
            request,
            layout,
            count=options.count,
            dtype=options.computing.dtype,
            strict=options.strict,
            offline=options.offline,
            download=dry.refuse_download if options.dry_run else download,
            console=console,
        )
    except dry.WouldDownloadError as answer:
        dry.tell_download(answer.plan, json=options.json)
        return
    if options.verbose:
        note(console, f"Model {plan.spec.name} in {plan.spec.folder}, sha256 {plan.spec.sha256}.")
    check_device(options.computing.device)
    if options.dry_run:
        dry.tell_plan(plan, options.computing, json=options.json)
        return
    for remark in (*remarks(plan), *plan.warnings):
        note(console, remark)
    wanted = FrameOptions(noisy=layout.frames.noisy, decoder=options.frame_decoder)
    prepare_folders(plan.folders, console)
    specs = {plan.spec.name: plan.spec}
    drawing = local_executor(
        specs,
        options.computing,
        frames=wanted if layout.frames.needed else None,
        console=console,
    )
    with drawing as executor:
        made = executor.run(in_batches(plan.requests, executor.batch_size))
        saved = save_images(made, layout, plan.targets)
        tell_images(
            record_runs(saved, specs, options.computing),
            console,
            details={request: f"seed {request.seed}" for request in plan.requests},
            json=options.json,
            progress_json=options.progress_json,
            keep_going=False,
        )
