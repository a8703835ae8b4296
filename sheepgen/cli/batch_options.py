"""The options that ``sheepgen batch`` alone has."""

from __future__ import annotations

from typing import Annotated

import typer

from sheepgen.cli.options import RUN, SAVED

JobsArg = Annotated[
    str | None,
    typer.Argument(
        metavar="JOBS",
        help="A file of jobs, one a line: a JSON object, or just a prompt. - reads them from "
        "standard input, as does leaving it out in a pipe.",
        show_default=False,
    ),
]
JobsOutputOpt = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A folder/, or a template inside one, as for `generate`; {index} is the line's "
        "number. A job's own output stays inside that folder. Without it, outputs/.",
        show_default=False,
        rich_help_panel=SAVED,
    ),
]
JobsResumeOpt = Annotated[
    bool,
    typer.Option(
        "--resume",
        metavar="",
        help="Answer for images that the folder has already, instead of drawing them again.",
        rich_help_panel=RUN,
    ),
]
SchemaOpt = Annotated[
    bool,
    typer.Option(
        "--schema",
        metavar="",
        help="Print the JSON Schema of a line, and do nothing else.",
        rich_help_panel=RUN,
    ),
]
