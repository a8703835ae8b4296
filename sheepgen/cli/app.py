"""The application: its commands, and the entry point that draws when no command is named."""

from __future__ import annotations

import os
import stat
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from sheepgen import __version__
from sheepgen.cli.batch import batch
from sheepgen.cli.console import write_data
from sheepgen.cli.evaluate import evaluate
from sheepgen.cli.generate import generate
from sheepgen.cli.listing import models, schedulers
from sheepgen.cli.rerun import rerun
from sheepgen.cli.show import show
from sheepgen.cli.spellings import canonical_spelling
from sheepgen.cli.sweep import sweep
from sheepgen.cli.train import train
from sheepgen.cli.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["COMMANDS", "app", "main", "with_default_command"]

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

_ROOT_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")

app = typer.Typer(
    name="sheepgen",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": canonical_spelling,
    },
    # Under --verbose the plain traceback is wanted, to be sent to whoever can read it.
    pretty_exceptions_enable=False,
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


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
    """Draw images from words, and keep the whole way from noise to image."""


def with_default_command(words: Sequence[str]) -> list[str]:
    """Return the command line with ``generate`` in front, unless it starts with a command.

    Only the first word counts: ``sheepgen generate sweep`` draws what is called like a command,
    and ``sheepgen --seed 42 'a sheep'`` starts with no command either.
    """
    if not words:
        return ["generate"] if _prompt_is_piped() else ["--help"]
    if words[0] in COMMANDS or words[0].partition("=")[0] in _ROOT_OPTIONS:
        return list(words)
    return ["generate", *words]


def _prompt_is_piped() -> bool:
    """Say whether standard input is a pipe or a file, which ``/dev/null`` and terminals are not."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or no file at all
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def main() -> None:
    """Run the command line."""
    app(args=with_default_command(sys.argv[1:]), prog_name="sheepgen")
