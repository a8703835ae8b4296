"""``sheepgen show``: what an image says about itself.

An image of another program's (`sheepgen.metadata.other_programs`) is shown as the command that
comes nearest; what that leaves out goes to standard error. If there can be no command, because the
image names no prompt or the installed model cannot draw its size, the settings are printed.

With ``--json`` it is an object: ``program`` (null where that is not known), ``request`` as far as
it could be read, with nulls for what the image does not name, and ``not_mapped``.
"""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from sheepgen.cli import completion, parsers
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.options import RUN, ImageArg, JsonOpt, VerboseOpt

if TYPE_CHECKING:
    from sheepgen.metadata.parsed_parameters import ParsedParameters
    from sheepgen.metadata.record import ImageRecord

__all__ = ["show"]

_MAX_SHOWN = 2_000
"""Characters of one setting of another program's."""

ShowFormatWord = Literal["a1111", "json", "command"]
ShowFormatOpt = Annotated[
    ShowFormatWord | None,
    typer.Option(
        "--format",
        metavar="WORD",
        help="a1111 (the parameters), json or command. Without it, parameters and command.",
        parser=parsers.one_of("--format", get_args(ShowFormatWord)),
        autocompletion=completion.of(*get_args(ShowFormatWord)),
        show_default=False,
        rich_help_panel=RUN,
    ),
]


def show(
    image: ImageArg,
    *,
    form: ShowFormatOpt = None,
    json: JsonOpt = False,
    verbose: VerboseOpt = False,
) -> None:
    """Show how an image was made, and the command that makes it again."""
    with cli_errors(verbose=verbose):
        from sheepgen.cli.foreign import recipe_in
        from sheepgen.metadata.image_file import record_in
        from sheepgen.metadata.image_texts import read_texts

        path = Path(image)
        form = "json" if json else form
        found = read_texts(path)
        record = record_in(found, path)
        if record is not None:
            _show_record(record, form)
        else:
            _show_recipe(recipe_in(found, path), form)


def _show_record(record: ImageRecord, form: ShowFormatWord | None) -> None:
    from sheepgen.metadata.a1111 import to_command, to_parameters
    from sheepgen.metadata.record import to_json
    from sheepgen.sanitize import printable

    if form == "json":
        write_data(to_json(record))
    if form in (None, "a1111"):
        write_data(printable(to_parameters(record)))
    if form is None:
        write_data("")
    if form in (None, "command"):
        write_data(to_command(record.request))


def _show_recipe(recipe: ParsedParameters, form: ShowFormatWord | None) -> None:
    from sheepgen.cli.foreign import note_not_mapped
    from sheepgen.errors import OutputError
    from sheepgen.sanitize import excerpt, printable

    if form == "a1111":
        write_data(printable(recipe.source))
        return
    if form == "json":
        write_data(json_format.dumps(recipe.to_dict()))
        return
    command, remark = _nearest_command(recipe)
    if command is not None:
        write_data(command)
    elif form == "command":
        raise OutputError(remark)
    else:
        for label, value in _settings(recipe).items():
            write_data(f"{label:<16} {excerpt(value, _MAX_SHOWN)}")
    console = error_console()
    note_not_mapped(console, recipe)
    if remark:
        note(console, remark)


def _nearest_command(recipe: ParsedParameters) -> tuple[str | None, str]:
    """Return the command for another program's image, or None, and what to say about it."""
    from sheepgen.errors import UsageError
    from sheepgen.metadata.a1111 import to_command
    from sheepgen.models.resolve import find_model
    from sheepgen.request import EMBEDDED_MODEL

    if "prompt" not in recipe.settings:
        return None, "There is no command for it: the image names no prompt."
    has_seed = "seed" in recipe.settings
    request = recipe.request(seed=None if has_seed else 0)
    try:
        find_model(EMBEDDED_MODEL).resolve(request)
    except UsageError as error:
        return None, f"There is no command for it: {error.message} {error.hint}"
    remark = "" if has_seed else "The image names no seed: the command picks a random one."
    return to_command(request, with_seed=has_seed), remark


def _settings(recipe: ParsedParameters) -> dict[str, object]:
    """Return the settings of an image by the labels that they are shown with."""
    left = dict(recipe.settings)
    shown = {
        label: left.pop(name)
        for name, label in (
            ("prompt", "prompt"),
            ("negative_prompt", "negative prompt"),
            ("seed", "seed"),
            ("num_inference_steps", "steps"),
            ("guidance_scale", "guidance"),
        )
        if name in left
    }
    if {"width", "height"} <= left.keys():
        shown["size"] = f"{left.pop('width')}x{left.pop('height')}"
    return shown | {name.replace("_", " "): value for name, value in left.items()}
