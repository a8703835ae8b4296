"""``sheepgen show``: print how an image was generated.

An image of another program (`sheepgen.metadata.other_programs`) is shown as the nearest command;
what that leaves out goes to standard error. If no command is possible, because the image has no
prompt or the embedded model cannot generate its size, the settings are printed.

With ``--json`` it is an object: ``program`` (null if unknown), ``request`` as far as it could be
read, with nulls for what the image does not name, and ``not_mapped``.
"""

from __future__ import annotations

import json as json_format
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from sheepgen.branch import describe_branch
from sheepgen.caches import NO_CACHE
from sheepgen.cli import completion, parsers
from sheepgen.cli.console import (
    cli_errors,
    error_console,
    note,
    output_console,
    write_data,
    write_rich,
)
from sheepgen.cli.options import RUN, ImageArg, JsonOpt, VerboseOpt
from sheepgen.fields import FIELDS
from sheepgen.prompt_reading import describe_reading
from sheepgen.request import EMBEDDED_MODEL, TEMPLATES, GenerationRequest
from sheepgen.sanitize import excerpt, printable
from sheepgen.shell_command import to_command

if TYPE_CHECKING:
    from rich.console import Console

    from sheepgen.metadata.parsed_parameters import ParsedParameters
    from sheepgen.metadata.record import ImageRecord

__all__ = ["print_not_mapped", "show"]

_MAX_CHARACTERS = 2_000
"""Of one setting of another program."""

_MAX_NOTES = 20
"""On one image; it may have any number of settings."""

ShowFormatWord = Literal["a1111", "json", "command"]
ShowFormatOpt = Annotated[
    ShowFormatWord | None,
    typer.Option(
        "--format",
        metavar="WORD",
        help="a1111 (the parameters), json or command. Defaults to parameters and command.",
        parser=parsers.one_of("--format", get_args(ShowFormatWord)),
        autocompletion=completion.of(*get_args(ShowFormatWord)),
        show_default=False,
        rich_help_panel=RUN,
    ),
]

PictureOpt = Annotated[
    bool,
    typer.Option(
        "--picture",
        metavar="",
        help="Show the picture itself in the terminal, too.",
        rich_help_panel=RUN,
    ),
]


def show(
    image: ImageArg,
    *,
    form: ShowFormatOpt = None,
    picture: PictureOpt = False,
    json: JsonOpt = False,
    verbose: VerboseOpt = False,
) -> None:
    """Show how an image was generated, and the command that generates it again."""
    with cli_errors(verbose=verbose):
        from sheepgen.metadata.image_file import record_in
        from sheepgen.metadata.image_texts import read_texts
        from sheepgen.metadata.other_programs import find_parameters, require_parameters

        path = Path(image)
        form = "json" if json else form
        shown = picture and _show_picture(path)
        found = read_texts(path)
        record = record_in(found, path)
        if record is not None:
            _show_record(record, form)
        elif shown and find_parameters(found) is None:
            note(error_console(), f"{path} has no record and no parameters.")
        else:
            _show_parameters(require_parameters(found, path), form)


def _show_picture(path: Path) -> bool:
    """Show a picture, and return whether it can be shown."""
    from sheepgen.metadata.image_file import image_errors, open_image
    from sheepgen.output.terminal_picture import (
        can_show_pictures,
        check_terminal_pictures,
        draw_in_terminal,
    )

    console = output_console()
    if not can_show_pictures(console):
        note(error_console(), "Warning: --picture has no effect without a terminal.")
        return False
    check_terminal_pictures("--picture")
    with image_errors(path), open_image(path) as image:
        write_rich(draw_in_terminal(image.convert("RGB"), console))
    return True


def _show_record(record: ImageRecord, form: ShowFormatWord | None) -> None:
    from sheepgen.metadata.a1111 import to_parameters
    from sheepgen.metadata.record import DIFFUSERS_LOOP
    from sheepgen.metadata.record_json import to_json

    if form == "json":
        write_data(to_json(record))
    if form in (None, "a1111"):
        write_data(printable(to_parameters(record)))
    if form is None and record.request.hires:
        wide, high = record.request.final_size
        write_data(f"Final size {wide}x{high}, after a second pass over the upscaled image")
    if form is None and record.request.branch:
        write_data(f"Branched: {describe_branch(record.request.branch)}")
    if form is None:
        if record.environment.recipe == DIFFUSERS_LOOP:
            version = excerpt(record.environment.diffusers, 40)
            write_data(f"Generated in diffusers' own loop, with diffusers {version}")
        if record.environment.cache != NO_CACHE:
            write_data(f"Generated with --cache {excerpt(record.environment.cache, 40)}")
        if record.understood is not None:
            said = describe_reading(record.understood, record.unused, record.corrected)
            write_data(f"Prompt {said}")
        write_data("")
    if form in (None, "command"):
        write_data(to_command(record.request))


def _show_parameters(parameters: ParsedParameters, form: ShowFormatWord | None) -> None:
    from sheepgen.errors import OutputError

    if form == "a1111":
        write_data(printable(parameters.source))
        return
    if form == "json":
        write_data(json_format.dumps(parameters.to_dict()))
        return
    command, remark = _nearest_command(parameters)
    if command is not None:
        write_data(command)
    elif form == "command":
        raise OutputError(remark)
    else:
        for label, value in _settings(parameters).items():
            write_data(f"{label:<16} {excerpt(value, _MAX_CHARACTERS)}")
    console = error_console()
    for name in TEMPLATES.values():
        if template := parameters.settings.get(name):
            label = name.replace("_", " ").capitalize()
            note(console, f"{label}: {excerpt(template, _MAX_CHARACTERS)}")
    print_not_mapped(console, parameters)
    if remark:
        note(console, remark)


def print_not_mapped(console: Console, parameters: ParsedParameters) -> None:
    """Print which program generated an image, and its settings that sheepgen does not have."""
    if parameters.program is not None:
        note(console, f"Generated by {excerpt(parameters.program)}.")
    for setting in islice(parameters.not_mapped, _MAX_NOTES):
        note(console, f"Not mapped: {excerpt(setting, 200)}")
    if (more := len(parameters.not_mapped) - _MAX_NOTES) > 0:
        note(console, f"Not mapped: {more} more; `sheepgen show --json` lists them.")


def _nearest_command(parameters: ParsedParameters) -> tuple[str | None, str]:
    """Return the command for another program's image, or None, and a note on it."""
    from sheepgen.errors import UsageError
    from sheepgen.models.resolve import find_model

    if "prompt" not in parameters.settings:
        return None, "No command can generate it: the image has no prompt."
    has_seed = "seed" in parameters.settings
    request = parameters.request(seed=None if has_seed else 0)
    try:
        find_model(EMBEDDED_MODEL).resolve(request)
    except UsageError as error:
        return None, f"No command can generate it: {error.message} {error.hint}"
    remark = "" if has_seed else "The image has no seed: the command picks a random one."
    return to_command(request, with_seed=has_seed), remark


def _settings(parameters: ParsedParameters) -> dict[str, object]:
    """Return the settings of an image by their labels."""
    settings = {
        FIELDS[each.name].label: parameters.settings[each.name]
        for each in fields(GenerationRequest)
        if each.name in parameters.settings and each.name in FIELDS
    }
    if {"width", "height"} <= settings.keys():
        settings["size"] = f"{settings.pop('width')}x{settings.pop('height')}"
    return settings
