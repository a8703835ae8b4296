"""``sheepgen generate``, which is also what ``sheepgen PROMPT`` runs.

Everything that can be wrong with the command line is found before torch is imported; what the
model will not read of the prompt, before its weights are loaded.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sheepgen.cli import options
from sheepgen.cli.console import error_console
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.presets import Presets
from sheepgen.request import GenerationRequest
from sheepgen.shell_command import TypedCommand

__all__ = ["generate"]

SheetOpt = Annotated[
    bool,
    typer.Option(
        "--sheet",
        metavar="",
        help="Also save a sheet of all images: one row each, with its steps if they are saved.",
        rich_help_panel=options.OUTPUT,
    ),
]


@spread
def generate(
    prompt: options.PromptArg = None,
    *,
    prompt_option: options.PromptOpt = None,
    fields: Annotated[dict[str, Any], RequestOptions("one", options.IMAGE_FIELDS)],
    count: options.CountOpt = 1,
    run: options.RunOptions,
    sheet: SheetOpt = False,
    batch_size: options.BatchSizeOpt = 1,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    preview: options.PreviewOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
    command: TypedCommand,
) -> None:
    """Generate one or more images from a prompt; some models need none."""
    from sheepgen.cli.images import can_preview, generate_images, plan_images
    from sheepgen.cli.parsers import (
        one_prompt,
        pick_seeds,
        random_seed_notes,
        read_prompt,
        with_random_seeds,
    )
    from sheepgen.cli.piped_image import PIPE, check_pipe_is_free, read_piped_image
    from sheepgen.models.resolve import reads_prompt
    from sheepgen.output.template import parse_output

    console = error_console(quiet=printed.quiet or progress_json)
    prompt, piped = one_prompt(prompt, prompt_option), None
    model = presets.reference(fields["model"], fields["variant"])
    if prompt is None and (fields["blend"] or not reads_prompt(model, offline=run.offline)):
        prompt = ""
    if fields["image"] == PIPE:
        check_pipe_is_free(prompt)
        piped = read_piped_image(parse_output(run.output, several=count > 1).home)
        fields["image"] = str(piped.path)
    fields = presets.fill({**fields, "prompt": read_prompt(prompt)})
    picked = pick_seeds(with_random_seeds(fields))
    plan = plan_images(
        GenerationRequest(**fields | picked),
        run.output,
        run.settings(
            batch_size=batch_size,
            preview=can_preview(console, wanted=preview),
            command=command,
        ),
        console,
        count=count,
        dry_run=run.dry_run,
        json=json,
    )
    if plan is not None:
        notes = random_seed_notes(picked)
        if piped is not None and not run.dry_run:
            notes.append(piped.keep())
        generate_images(
            plan,
            console,
            notes,
            sheet=sheet,
            dry_run=run.dry_run,
            json=json,
            progress_json=progress_json,
            verbose=printed.verbose,
        )
