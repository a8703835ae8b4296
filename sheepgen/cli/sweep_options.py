"""The options of ``sheepgen sweep`` that take several values, or that it alone has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sheepgen.cli import completion, parsers
from sheepgen.cli.command_line import PROMPT
from sheepgen.cli.options import DRAWER, DRAWN, RUN, SAVED

_RANGES = "Values: 3,5,7.5 or 1-8 or 1-9:2."

PromptsArg = Annotated[
    str | None,
    typer.Argument(
        metavar=PROMPT,
        help="The prompt, in quotes. 'a {red|blue} sheep' expands to two prompts.",
        show_default=False,
        parser=parsers.text,
    ),
]
PromptsFileOpt = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Prompts, one a line, instead of or besides PROMPT.",
        rich_help_panel=DRAWN,
    ),
]
ReplaceOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORDS",
        help="sheep,goat,cow: search and replace. The first word must occur in the prompt and is "
        "replaced by each other in turn. Repeatable.",
        parser=parsers.text,
        rich_help_panel=DRAWN,
    ),
]
NegativePromptsOpt = Annotated[
    str,
    typer.Option(
        "-n",
        "--negative-prompt",
        metavar="TEXT",
        help="What to avoid; {|blur} expands to two.",
        show_default=False,
        parser=parsers.text,
        rich_help_panel=DRAWN,
    ),
]
SeedsOpt = Annotated[
    str | None,
    typer.Option(
        "-s",
        "--seeds",
        "--seed",
        metavar="VALUES",
        help="Random seeds: 1-8 or 3,42. Without any, or at -1, one is picked and kept for the "
        "folder.",
        show_default=False,
        rich_help_panel=DRAWN,
    ),
]
VariationSeedsOpt = Annotated[
    str | None,
    typer.Option(
        "--variation-seed",
        metavar="VALUES",
        help="Second seeds to blend in.",
        rich_help_panel=DRAWN,
    ),
]
VariationStrengthsOpt = Annotated[
    str,
    typer.Option(
        "--variation-strength",
        metavar="VALUES",
        help="How strongly to blend them in, 0 to 1: 0-0.5:0.1.",
        show_default=False,
        rich_help_panel=DRAWN,
    ),
]
SizesOpt = Annotated[
    str | None,
    typer.Option(
        "--size", metavar="SIZES", help="WxH, or several: 512x512,512x768.", rich_help_panel=DRAWN
    ),
]
ModelsOpt = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAMES",
        help="One or more, with commas.",
        autocompletion=completion.models,
        rich_help_panel=DRAWER,
    ),
]
StepCountsOpt = Annotated[
    str | None,
    typer.Option("--steps", metavar="VALUES", help="Denoising steps.", rich_help_panel=DRAWER),
]
GuidancesOpt = Annotated[
    str | None,
    typer.Option(
        "-g",
        "--guidance",
        metavar="VALUES",
        help=f"How closely to follow the prompt; 1 is off. {_RANGES}",
        rich_help_panel=DRAWER,
    ),
]
GuidanceRescalesOpt = Annotated[
    str,
    typer.Option(
        "--guidance-rescale",
        metavar="VALUES",
        help="Rescale guidance, to reduce over-exposure; 0 to 1.",
        show_default=False,
        rich_help_panel=DRAWER,
    ),
]
EtasOpt = Annotated[
    str,
    typer.Option(
        "--eta",
        metavar="VALUES",
        help="Noise added at each step, with ddim and tcd only; 0 to 1.",
        show_default=False,
        rich_help_panel=DRAWER,
    ),
]
SchedulersOpt = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="NAMES",
        help="One or more, with commas: ddim,euler.",
        autocompletion=completion.schedulers,
        rich_help_panel=DRAWER,
    ),
]
SweepOutputOpt = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A folder/, or a template inside one, as for `generate`; {key} is another one for "
        "every image. Defaults to outputs/PROMPT_sweep/.",
        show_default=False,
        rich_help_panel=SAVED,
    ),
]
ReplaceFilesOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Overwrite files in the way that this sweep did not make.",
        rich_help_panel=SAVED,
    ),
]
SheetOpt = Annotated[
    bool,
    typer.Option(
        "--sheet/--no-sheet",
        help="Draw a contact sheet of the whole sweep.",
        rich_help_panel=SAVED,
    ),
]
ResumeOpt = Annotated[
    bool,
    typer.Option(
        "--resume",
        metavar="",
        help="Fail if there is no sweep in the folder to go on with.",
        rich_help_panel=RUN,
    ),
]
FailFastOpt = Annotated[
    bool,
    typer.Option(
        "--fail-fast/--keep-going",
        help="Stop at the first image that fails, or go on.",
        rich_help_panel=RUN,
    ),
]
