"""``sheepgen sweep``: every combination of the given values, each image once, none ever lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import options, parsers
from sheepgen.cli.command_line import PROMPT
from sheepgen.cli.console import error_console
from sheepgen.cli.options import IMAGE, OUTPUT, RUN
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.presets import Presets
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.shell_command import TypedCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_prompts", "sweep"]

PromptsArg = Annotated[
    str | None,
    typer.Argument(
        metavar=PROMPT,
        help="The prompt, in quotes. 'a {red|blue} sheep' expands to two prompts; for __place__ "
        "the seed picks a line, with --wildcards.",
        show_default=False,
        parser=parsers.text,
    ),
]
PromptsFileOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File with one prompt per line, in addition to PROMPT.",
        rich_help_panel=IMAGE,
    ),
]
ReplaceOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORDS",
        help="sheep,goat,cow: search and replace. The first word must occur in the prompt and is "
        "replaced by each other in turn. Repeatable.",
        parser=parsers.text,
        rich_help_panel=IMAGE,
    ),
]
SweepOutputOpt = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A folder/, or a template inside one, as for `generate`, with {key}, a unique id per "
        "image. Defaults to outputs/PROMPT_sweep/.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
SheetOpt = Annotated[
    bool,
    typer.Option(
        "--sheet/--no-sheet",
        help="Save a contact sheet of the whole sweep.",
        rich_help_panel=OUTPUT,
    ),
]
HtmlOpt = Annotated[
    bool,
    typer.Option(
        "--html",
        metavar="",
        help="Save a web page of the whole sweep: a grid with filters and a slider over the steps.",
        rich_help_panel=OUTPUT,
    ),
]
SweepOverwriteOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Overwrite files that do not belong to this sweep.",
        rich_help_panel=OUTPUT,
    ),
]
ResumeOpt = Annotated[
    bool,
    typer.Option(
        "--resume",
        metavar="",
        help="Resume an existing sweep; fail if there is none.",
        rich_help_panel=RUN,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepOptions(options.RunOptions):
    """Options of a run that saves into one folder."""

    output: SweepOutputOpt = None
    frames: options.FramesOpt = "none"
    overwrite: SweepOverwriteOpt = False


@spread
def sweep(
    prompt: PromptsArg = None,
    *,
    prompt_option: options.PromptOpt = None,
    prompts_file: PromptsFileOpt = None,
    replace: ReplaceOpt = None,
    fields: Annotated[dict[str, Any], RequestOptions("several", options.IMAGE_FIELDS)],
    run: SweepOptions,
    batch_size: options.BatchSizeOpt = 1,
    sheet: SheetOpt = True,
    html: HtmlOpt = False,
    shard: options.ShardOpt = None,
    resume: ResumeOpt = False,
    fail_fast: options.FailFastOpt = False,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    preview: options.PreviewOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
    command: TypedCommand,
) -> None:
    """Generate every combination of the given values. Run it again to make only what is missing."""
    from sheepgen.blend import blend_to_words, parse_blend
    from sheepgen.cli.images import can_preview
    from sheepgen.cli.parsers import one_prompt
    from sheepgen.cli.piped_image import PIPE, check_pipe_is_free, read_piped_image
    from sheepgen.cli.sweep_run import carry_out, ready_sweep
    from sheepgen.models.resolve import reads_prompt
    from sheepgen.output.template import image_word, parse_output
    from sheepgen.sweep.run import run_sweep

    console = error_console(quiet=printed.quiet or progress_json)
    settings = run.settings(
        batch_size=batch_size,
        preview=can_preview(console, wanted=preview),
        command=command,
    )
    prompt, piped = one_prompt(prompt, prompt_option), None
    models = [
        presets.reference(model, variant)
        for model in fields.get("model", (EMBEDDED_MODEL,))
        for variant in fields.get("variant", ("",))
    ]
    if (prompt, prompts_file) == (None, None) and (
        "blend" in fields or not any(reads_prompt(model, offline=run.offline) for model in models)
    ):
        prompt = ""
    images = fields.get("image", ())
    if PIPE in images:
        check_pipe_is_free(prompt if prompts_file is None else prompt or "")
    prompts = read_prompts(prompt, prompts_file, replace or [])
    words = prompt or prompts[0]
    if "blend" in fields and not words:
        words = blend_to_words(parse_blend(fields["blend"][0]))
    word = image_word(words, models[0].name)
    output = run.output or f"outputs/{word}_sweep/"
    if PIPE in images:
        piped = read_piped_image(parse_output(output, several=True).home)
        images = tuple(str(piped.path) if path == PIPE else path for path in images)
        fields = {**fields, "image": images}
    values = {**fields, "prompt": prompts}
    plan = ready_sweep(
        values,
        output,
        settings,
        console,
        presets=presets,
        shard=shard,
        resume=resume,
        dry_run=run.dry_run,
        json=json,
    )
    if plan is None:
        return
    carry_out(
        plan,
        run_sweep(plan, sheet=sheet, page=html),
        console,
        notes=() if piped is None else (piped.keep(),),
        json=json,
        progress_json=progress_json,
        fail_fast=fail_fast,
    )


def read_prompts(
    prompt: str | None, prompts_file: Path | None, replacements: Sequence[str]
) -> tuple[str, ...]:
    """Return the prompts of a sweep: those of its argument, then those of its file.

    Args:
        prompt: May hold ``{alternatives}``; ``-`` reads a list from standard input.
        prompts_file: One prompt per line, which may hold alternatives too.
        replacements: Each a word to search for, and others that replace it.

    Raises:
        UsageError: If there is no prompt, or the file cannot be read.
    """
    from sheepgen.cli.parsers import read_prompt
    from sheepgen.prompt_template import expand_alternatives
    from sheepgen.sweep.prompts import read_prompt_file, read_prompt_lines, replace_word

    lines: list[str] = []
    if prompt == "-":
        lines += read_prompt_lines(read_prompt(prompt))
    elif prompt is not None or prompts_file is None:
        lines.append(read_prompt(prompt))
    if prompts_file is not None:
        lines += read_prompt_file(prompts_file)
    prompts = tuple(dict.fromkeys(each for line in lines for each in expand_alternatives(line)))
    for words in replacements:
        prompts = replace_word(prompts, words)
    return prompts
