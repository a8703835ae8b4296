"""``sheepgen batch``: many different jobs, one warm model, JSON lines in and out."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from sheepgen.cli import batch_options as own
from sheepgen.cli import options
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.sweep_options import FailFastOpt
from sheepgen.errors import UsageError
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import open_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["batch", "open_jobs"]


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
    """Draw a job a line and answer each with a JSON line; options are for what jobs leave out."""
    with cli_errors(verbose=verbose):
        from sheepgen.batch.job_schema import job_schema
        from sheepgen.batch.jobs import parse_job, read_lines
        from sheepgen.cli.batch_drawing import draw_jobs, rehearse_jobs
        from sheepgen.cli.batch_plan import JobPlanner
        from sheepgen.cli.download import downloader
        from sheepgen.cli.dry_run import refuse_download
        from sheepgen.cli.parsing import read_layout, read_size
        from sheepgen.execution.checks import check_device
        from sheepgen.metadata.image_file import check_format
        from sheepgen.models.hub import go_offline
        from sheepgen.options import FrameOptions, check_device_options

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
        layout = read_layout(output, frames=frames, several=True, overwrite=overwrite)
        check_format(layout.template.suffix, parse_job('{"prompt": "any"}', defaults).request)
        check_device_options(device, dtype)
        if offline:
            go_offline()
        planner = JobPlanner(
            defaults=defaults,
            template=layout.template,
            dtype=dtype,
            strict=strict,
            offline=offline,
            download=refuse_download if dry_run else downloader(console),
            console=console,
            specs={},
        )
        with open_jobs(jobs) as file:
            lines = read_lines(file)
            if dry_run:
                check_device(device)
                if rehearse_jobs(lines, planner, overwrite=overwrite, console=console):
                    raise typer.Exit(2)
                return
            spec = planner.find(model)
            if verbose:
                note(console, f"Model {model} in {spec.folder}, sha256 {spec.sha256}.")
            wanted = FrameOptions(noisy=layout.frames.noisy, decoder=frame_decoder)
            failed = draw_jobs(
                lines,
                planner,
                layout,
                device=device,
                frames=wanted if layout.frames.needed else None,
                progress_json=progress_json,
                resume=resume,
                fail_fast=fail_fast,
                console=console,
            )
        if failed:
            raise typer.Exit(3)


@contextmanager
def open_jobs(jobs: str | None) -> Iterator[BinaryIO]:
    """Open the file, or standard input where it is ``-`` or left out behind a pipe.

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
            f"The jobs cannot be read from {excerpt(jobs, 200)}: {reason}.",
            "Give a file of JSON lines, a pipe, or - for standard input.",
        ) from error
    with file:
        yield file
