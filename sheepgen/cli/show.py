"""``sheepgen show``: what an image says about itself.

An image of another program's that carries AUTOMATIC1111's parameters is shown as the command that
comes nearest; what that leaves out goes to standard error. With ``--json`` it is an object of
``request``, as far as it could be read, and ``not_mapped``.
"""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from sheepgen.cli import completion, parsers
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.options import RUN, ImageArg, JsonOpt, VerboseOpt

if TYPE_CHECKING:
    from sheepgen.metadata import ImageRecord

__all__ = ["show"]

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
        from sheepgen.errors import OutputError
        from sheepgen.image_file import find_record, read_parameters_text

        path = Path(image)
        form = "json" if json else form
        record = find_record(path)
        if record is not None:
            _show_record(record, form)
            return
        parameters = read_parameters_text(path)
        if parameters is None:
            raise OutputError(
                f"{path} carries no record and no parameters.",
                "They were never in it, or another program has taken them out.",
            )
        _show_parameters(parameters, form)


def _show_record(record: ImageRecord, form: ShowFormatWord | None) -> None:
    from sheepgen.infotext import to_command, to_parameters
    from sheepgen.metadata import to_json
    from sheepgen.text import printable

    if form == "json":
        write_data(to_json(record))
    if form in (None, "a1111"):
        write_data(printable(to_parameters(record)))
    if form is None:
        write_data("")
    if form in (None, "command"):
        write_data(to_command(record.request))


def _show_parameters(parameters: str, form: ShowFormatWord | None) -> None:
    from sheepgen.infotext import to_command
    from sheepgen.infotext_reader import read_parameters
    from sheepgen.text import excerpt, printable

    if form == "a1111":
        write_data(printable(parameters))
        return
    recipe = read_parameters(parameters)
    if form == "json":
        write_data(json_format.dumps(asdict(recipe)))
        return
    write_data(to_command(recipe.request))
    console = error_console()
    for said in recipe.not_mapped:
        note(console, f"Not mapped: {excerpt(said, 200)}")
