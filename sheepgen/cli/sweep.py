"""``sheepgen sweep``: every combination of the given values, each image once, none ever lost."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import options, parsers
from sheepgen.cli.command_line import PROMPT
from sheepgen.cli.console import error_console, note, write_data
from sheepgen.cli.options import IMAGE, OUTPUT, RUN
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.presets import Presets
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt, plural
from sheepgen.shell_command import TypedCommand

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.sweep.plan import SweepPlan

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
    from sheepgen.cli.download import show_download
    from sheepgen.cli.dry_run import print_download
    from sheepgen.cli.images import can_preview, print_images
    from sheepgen.cli.parsers import one_prompt
    from sheepgen.cli.piped_image import PIPE, check_pipe_is_free, read_piped_image
    from sheepgen.models.hub import DownloadPlan, go_offline
    from sheepgen.models.resolve import reads_prompt
    from sheepgen.output.progress import spinner
    from sheepgen.output.template import image_word, parse_output
    from sheepgen.sweep.plan import plan_sweep
    from sheepgen.sweep.run import run_sweep

    console = error_console(quiet=printed.quiet or progress_json)
    preview = can_preview(console, wanted=preview)
    settings = run.settings(batch_size=batch_size, preview=preview, command=command)
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
    if run.offline:
        go_offline()
    while True:
        with spinner(console, "Preparing"):
            plan = plan_sweep(
                values, output, settings, presets=presets, resume=resume, download=False
            )
        if not isinstance(plan, DownloadPlan):
            break
        if run.dry_run:
            print_download(plan, json=json)
            return
        show_download(console, plan)
    if run.dry_run:
        _print_plan(plan, json=json)
        return
    memory = [f"Memory: {text}" for text in [*_memory_rows(plan).values()][:1]]
    for text in (*_summary(plan), *memory, *plan.prompt_notes, *plan.image_notes):
        note(console, text)
    if piped is not None:
        note(console, piped.keep())
    failed = print_images(
        run_sweep(plan, sheet=sheet, page=html),
        console,
        {request: plan.details[request] for request in plan.missing},
        json=json,
        progress_json=progress_json,
        keep_going=not fail_fast,
        json_details=True,
        preview=preview,
    )
    if failed:
        note(console, f"{failed} of {len(plan.keys)} images failed. Run it again to retry.")
        raise typer.Exit(3)


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


def _summary(plan: SweepPlan) -> list[str]:
    """Return the plan of a sweep in a few lines."""
    axes = " x ".join(f"{len(axis.values):,} of {axis.name}" for axis in plan.grid.axes)
    of_axes = f": {axes}" if axes else ""
    lines = [f"{plural(len(plan.keys), 'image')}{of_axes}, into {plan.folder}"]
    if plan.done and plan.missing:
        lines.append(f"{len(plan.done):,} already exist, {len(plan.missing):,} to generate")
    if not plan.missing:
        return [*lines, "Nothing to do: all images already exist and are intact."]
    lines.append(f"{plural(plan.estimate.steps, 'step')}, time {plan.estimate.time}")
    lines.append(f"Disk: {plan.estimate.disk}")
    return [*lines, *plan.warnings]


def _memory_rows(plan: SweepPlan) -> Mapping[str, str]:
    """Return what the missing images take of a device's memory, by the labels of the rows."""
    from sheepgen.cli.dry_run import memory_rows

    if plan.memory is None:
        return {}
    kinds = {(each.model_reference, each.adapters, each.final_size) for each in plan.missing}
    return memory_rows(plan.memory, plan.estimate.peak_bytes, largest=len(kinds) > 1)


def _print_plan(plan: SweepPlan, *, json: bool) -> None:
    """Print what a sweep would generate, and into which files.

    With ``json`` it is one object: ``plan`` (as `describe_grid` returns it), ``folder``,
    ``memory`` (what `sheepgen.execution.memory.RunMemory.to_dict` returns; null if every image is
    there), ``prompts`` (each with its ``model``, ``text`` and the fields of
    `sheepgen.prompt_reading.PromptReading`), ``image_notes``, ``warnings``, the entries of the
    estimate, and ``images``, each with its ``path``, ``key``, ``request`` and whether it is
    ``done``.
    """
    from sheepgen.cli.dry_run import print_memory
    from sheepgen.sweep.grid import describe_grid

    images = [
        {
            "path": str(plan.done.get(request, plan.targets[request].path)),
            "key": key,
            "done": request in plan.done,
            "request": asdict(request),
        }
        for request, key in plan.keys.items()
    ]
    if json:
        described: dict[str, Any] = {
            "plan": describe_grid(plan.grid),
            "folder": str(plan.folder),
            "prompts": [
                {"model": model, "text": prompt.text, **asdict(prompt.reading)}
                for model, prompts in plan.prompts.items()
                for prompt in prompts
                if not prompt.is_negative
            ],
            "image_notes": plan.image_notes,
            "warnings": plan.warnings,
            **asdict(plan.estimate),
            "memory": plan.memory and plan.memory.to_dict(),
        }
        write_data(json_format.dumps({**described, "images": images}))
        return
    for line in _summary(plan):
        write_data(excerpt(line, 300))
    print_memory(_memory_rows(plan))
    for line in (*plan.prompt_notes, *plan.image_notes):
        write_data(excerpt(line, 300))
    for image in images:
        write_data(f"{'done' if image['done'] else 'to do':<8} {image['path']}")
