"""The application: its commands, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from sheepgen.aliases import canonical_option
from sheepgen.cli.batch import batch
from sheepgen.cli.command_line import Command, CommandGroup
from sheepgen.cli.console import write_data
from sheepgen.cli.evaluate import evaluate
from sheepgen.cli.generate import generate
from sheepgen.cli.models import models, schedulers
from sheepgen.cli.rerun import rerun
from sheepgen.cli.show import show
from sheepgen.cli.sweep import sweep
from sheepgen.cli.train import train
from sheepgen.cli.verify import verify
from sheepgen.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["COMMANDS", "app"]

COMMANDS: Mapping[str, Callable[..., None]] = MappingProxyType(
    {
        "generate": generate,
        "sweep": sweep,
        "batch": batch,
        "show": show,
        "rerun": rerun,
        "verify": verify,
        "train": train,
        "evaluate": evaluate,
        "models": models,
        "schedulers": schedulers,
    }
)

app = typer.Typer(
    name="sheepgen",
    cls=CommandGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": canonical_option,
    },
    # With --verbose the plain traceback is wanted, for bug reports.
    pretty_exceptions_enable=False,
)
for _name, _command in COMMANDS.items():
    app.command(_name, cls=Command)(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        write_data(f"sheepgen {__version__}")
        raise typer.Exit


@app.callback(epilog="Try:  sheepgen 'a red fox in the snow'  is short for  sheepgen generate ...")
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Generate images from text, and keep every step from noise to picture."""
