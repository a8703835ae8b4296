"""The application: its commands, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from sheepgen.cli.batch import batch
from sheepgen.cli.bench import bench
from sheepgen.cli.branch import branch
from sheepgen.cli.command_line import Command, CommandGroup, SubcommandGroup
from sheepgen.cli.config import config, print_path
from sheepgen.cli.console import write_data
from sheepgen.cli.dissolve import dissolve
from sheepgen.cli.evaluate import evaluate
from sheepgen.cli.explain import explain
from sheepgen.cli.generate import generate
from sheepgen.cli.meaning import meaning
from sheepgen.cli.model_info import info
from sheepgen.cli.model_pull import pull
from sheepgen.cli.model_rm import rm
from sheepgen.cli.model_verify import verify_model
from sheepgen.cli.models import list_models, models, schedulers
from sheepgen.cli.morph import morph
from sheepgen.cli.option_aliases import canonical_option
from sheepgen.cli.rerun import rerun
from sheepgen.cli.serve import serve
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
        "morph": morph,
        "batch": batch,
        "show": show,
        "rerun": rerun,
        "branch": branch,
        "dissolve": dissolve,
        "verify": verify,
        "explain": explain,
        "meaning": meaning,
        "serve": serve,
        "train": train,
        "evaluate": evaluate,
        "bench": bench,
        "schedulers": schedulers,
        "models": models,
        "config": config,
    }
)

_SUBCOMMANDS: Mapping[str, Mapping[str, Callable[..., None]]] = MappingProxyType(
    {
        "models": {
            "list": list_models,
            "info": info,
            "pull": pull,
            "rm": rm,
            "verify": verify_model,
        },
        "config": {"path": print_path},
    }
)
"""Commands that some commands have besides what they do by themselves."""

_EXAMPLES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "generate": (
            "sheepgen 'a red fox in the snow'",
            "sheepgen 'a red fox' --seed 42 --count 4 -o foxes/",
            "sheepgen 'a red fox' --model stabilityai/sd-turbo --frames gif",
        ),
        "sweep": (
            "sheepgen sweep 'a {red|blue} fox' --seeds 1-4",
            "sheepgen sweep 'a red fox' --guidance 1-3:0.5 --scheduler ddim,euler",
            "sheepgen sweep --prompts-file prompts.txt --seeds 1-100",
        ),
        "morph": (
            "sheepgen morph 'a sheep' 'a motorcycle' --seed 1",
            "sheepgen morph 'a fox' 'a wolf' 'a fox' --stops 48 --animation gif --fps 24",
            "sheepgen morph 'a castle' --seeds 1,2 --scheduler ddim --model sd15",
        ),
        "batch": (
            "sheepgen batch jobs.jsonl -o pictures/",
            "sheepgen batch prompts.txt --steps 20 --resume",
            'echo \'{"prompt": "a red fox", "seed": 7}\' | sheepgen batch',
        ),
        "show": (
            "sheepgen show fox.png",
            "sheepgen show fox.png --format command",
            "sheepgen show fox.png --json | jq .request.seed",
        ),
        "rerun": (
            "sheepgen rerun fox.png",
            "sheepgen rerun fox.png --steps 20 --scheduler euler",
            "sheepgen rerun fox.png --variation-strength 0.1 --count 4",
        ),
        "branch": (
            "sheepgen branch fox.png --at 8 --prompt 'an owl'",
            "sheepgen branch fox.png --at 8 -p 'an owl' -p 'a goat' -o owls/",
            "sheepgen branch fox.png --at 8 --seed -1",
        ),
        "dissolve": (
            "sheepgen dissolve fox.png",
            "sheepgen dissolve photo.jpg --steps 20 --frames gif -o static/",
            "sheepgen dissolve fox.png --back-from 12 --prompt 'an owl'",
        ),
        "verify": (
            "sheepgen verify fox.png",
            "sheepgen verify outputs/ --json",
            "sheepgen verify foxes_sweep/manifest.jsonl --fetch",
        ),
        "explain": (
            "sheepgen explain 'a sheep riding a motorcycle' --seed 42",
            "sheepgen explain 'a red fox in the snow' --ablate -o fox.png",
            "sheepgen explain 'a red fox' --model sd15 --json | jq .explanation.groups",
        ),
        "meaning": (
            "sheepgen meaning 'a sheep' 'a ewe' 'a motorcycle'",
            "sheepgen meaning --analogy 'king - man + woman' --model sd15",
            "sheepgen meaning cat dog --words words.txt --json | jq .distances",
        ),
        "serve": (
            "sheepgen serve &",
            "sheepgen serve --idle-timeout 2h",
            "sheepgen serve --stop",
        ),
        "train": (
            "sheepgen train --preset small -o my-model/",
            "sheepgen train unet --workspace .training",
            "sheepgen train --from my-model/ --unet-steps 2000",
        ),
        "evaluate": (
            "sheepgen evaluate",
            "sheepgen evaluate --model my-model/ --seeds 4",
            "sheepgen evaluate --scheduler euler --steps 20 -o sheets/",
        ),
        "bench": (
            "sheepgen bench",
            "sheepgen bench cold step-sd15 --runs 7 -o figures.json",
            "sheepgen bench cost --plot cost.svg",
        ),
        "models": (
            "sheepgen models",
            "sheepgen models info sdxl",
            "sheepgen models pull sdxl --variant fp16",
        ),
        "models list": (
            "sheepgen models list",
            "sheepgen models list --json",
            "sheepgen 'a red fox' --model stabilityai/sd-turbo",
        ),
        "models info": (
            "sheepgen models info sheepgen --things",
            "sheepgen models info sheepgen --things fox",
            "sheepgen models info stabilityai/sd-turbo --json",
        ),
        "models pull": (
            "sheepgen models pull sd15",
            "sheepgen models pull sdxl --variant fp16 --dry-run",
            "sheepgen models pull stabilityai/sd-turbo@main",
        ),
        "models rm": (
            "sheepgen models rm sd15",
            "sheepgen models rm stabilityai/sd-turbo@main",
            "sheepgen models rm sdxl --yes",
        ),
        "models verify": (
            "sheepgen models verify sd15",
            "sheepgen models verify sheepgen",
            "sheepgen models verify ./my-diffusers-folder --json",
        ),
        "schedulers": (
            "sheepgen schedulers",
            "sheepgen schedulers --json",
            "sheepgen 'a red fox' --scheduler euler",
        ),
        "config": (
            "sheepgen config",
            "sheepgen config --json",
            "sheepgen config path",
        ),
        "config path": (
            "sheepgen config path",
            "SHEEPGEN_CONFIG=./studio.toml sheepgen config",
            "sheepgen config --json",
        ),
    }
)
"""Shown at the end of each command's help."""

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


def _epilog(name: str) -> str:
    return "\n  ".join(("Examples:", *_EXAMPLES[name])).replace("[", "\\[")


for _name, _command in COMMANDS.items():
    if _name not in _SUBCOMMANDS:
        app.command(_name, cls=Command, epilog=_epilog(_name))(_command)
        continue
    _group = typer.Typer(
        name=_name,
        cls=SubcommandGroup,
        callback=_command,
        invoke_without_command=True,
        epilog=_epilog(_name),
    )
    for _word, _subcommand in _SUBCOMMANDS[_name].items():
        _group.command(_word, cls=Command, epilog=_epilog(f"{_name} {_word}"))(_subcommand)
    app.add_typer(_group)


def _print_version(wanted: bool) -> None:
    if wanted:
        write_data(f"sheepgen {__version__}")
        raise typer.Exit


@app.callback(epilog="sheepgen 'a red fox' is short for sheepgen generate 'a red fox'.")
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Generate images from text, and keep every step from noise to picture."""
