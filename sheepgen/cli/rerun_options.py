"""The options of ``sheepgen rerun``: those of ``generate`` whose defaults are other ones here.

What is left out comes from the image.
"""

from __future__ import annotations

from copy import copy
from typing import Annotated, Any, get_args

import typer

from sheepgen.cli import options, parsers

_OWN = "Defaults to the image's own."


def _unset(option: object, **changes: Any) -> Any:  # noqa: ANN401 - typer's own, and of any type
    """Return the description of another option, changed, and without showing a default."""
    described = copy(get_args(option)[1])
    for name, value in {"show_default": False, **changes}.items():
        setattr(described, name, value)
    return described


NewPromptOpt = Annotated[
    str | None,
    typer.Option(
        "-p",
        "--prompt",
        metavar="TEXT",
        help="A new prompt; - reads it from standard input.",
        parser=parsers.text,
        rich_help_panel=options.DRAWN,
    ),
]
NewNegativePromptOpt = Annotated[str | None, _unset(options.NegativePromptOpt)]
NewSeedOpt = Annotated[int | None, _unset(options.SeedOpt, help="Random seed; -1 picks one.")]
NewVariationSeedOpt = Annotated[
    int | None,
    _unset(
        options.VariationSeedOpt,
        help="Second seed to blend in. Picked at -1, or where it is needed and the image has none.",
    ),
]
NewVariationStrengthOpt = Annotated[float | None, _unset(options.VariationStrengthOpt)]
NewWidthOpt = Annotated[int | None, _unset(options.WidthOpt, help=_OWN)]
NewHeightOpt = Annotated[int | None, _unset(options.HeightOpt, help=_OWN)]
NewStepsOpt = Annotated[int | None, _unset(options.StepsOpt, help=f"Denoising steps. {_OWN}")]
NewGuidanceOpt = Annotated[
    float | None,
    _unset(options.GuidanceOpt, help=f"How closely to follow the prompt; 1 is off. {_OWN}"),
]
NewSchedulerOpt = Annotated[
    str | None,
    _unset(options.SchedulerOpt, help=f"A name from `sheepgen schedulers`. {_OWN}"),
]
NewModelOpt = Annotated[str | None, _unset(options.ModelOpt)]
NewGuidanceRescaleOpt = Annotated[float | None, _unset(options.GuidanceRescaleOpt)]
NewEtaOpt = Annotated[float | None, _unset(options.EtaOpt)]
NewDtypeOpt = Annotated[str | None, _unset(options.DtypeOpt)]

FetchOpt = Annotated[
    bool,
    typer.Option(
        "--fetch",
        metavar="",
        help="Download the model that the image names if it is not in the cache.",
        rich_help_panel=options.DRAWER,
    ),
]
