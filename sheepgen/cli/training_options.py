"""The options of ``sheepgen train`` and ``sheepgen evaluate``, and what both need first."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from sheepgen.cli import completion, parsers
from sheepgen.cli.installation import install_command
from sheepgen.cli.options import MODEL, OUTPUT, RUN
from sheepgen.errors import UsageError

WorkspaceOpt = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Working folder for downloads, data, checkpoints and sample sheets.",
        parser=parsers.folder,
        rich_help_panel=OUTPUT,
    ),
]
TrainDeviceOpt = Annotated[
    str,
    typer.Option(
        metavar="WORD",
        help="auto, cpu, cuda, cuda:1 or mps.",
        parser=parsers.device,
        autocompletion=completion.devices,
        rich_help_panel=RUN,
    ),
]
StagesArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="STAGE",
        help="parser, vae, latents, unet, preview or classifier. Defaults to all that the preset "
        "needs.",
        show_default=False,
        autocompletion=completion.of("parser", "vae", "latents", "unet", "preview", "classifier"),
    ),
]
PresetOpt = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="full (for a GPU), small (sixteen concepts) or tune (continues from full).",
        autocompletion=completion.of("full", "small", "tune"),
        rich_help_panel=MODEL,
    ),
]
StartOpt = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FOLDER",
        help="Continue training a model that `sheepgen train` wrote, in a new workspace.",
        parser=parsers.folder,
        rich_help_panel=MODEL,
    ),
]
ModelOutputOpt = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        help="Write the trained model here, with its scores and model card.",
        parser=parsers.folder,
        rich_help_panel=OUTPUT,
    ),
]
ReplaceModelOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Overwrite an existing model.",
        rich_help_panel=OUTPUT,
    ),
]
UnetStepsOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        parser=parsers.whole_number("--unet-steps", 1),
        help="Total number of U-Net steps. Defaults to the preset's.",
        rich_help_panel=MODEL,
    ),
]
SeedsAPromptOpt = Annotated[
    int,
    typer.Option(
        "--seeds",
        metavar="N",
        help="Images per prompt.",
        parser=parsers.whole_number("--seeds", 1, 100),
        rich_help_panel=RUN,
    ),
]
GroupsOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="NAME",
        help="Evaluate only this group of prompts. Repeatable. An unknown name lists all.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
SheetsOpt = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        help="Save one sheet of images per group here.",
        parser=parsers.folder,
        rich_help_panel=OUTPUT,
    ),
]
ReplaceSheetsOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Overwrite existing sheets.",
        rich_help_panel=OUTPUT,
    ),
]


def check_training_packages() -> None:
    """Check that the packages that only training needs are installed.

    Raises:
        UsageError: If one is missing.
    """
    missing = [name for name in ("matplotlib", "resvg_py") if not find_spec(name)]
    if missing:
        raise UsageError(
            f"Missing packages for training and evaluation: {', '.join(missing)}.",
            f"Install them with: {install_command('train')}",
        )
