"""``sheepgen models rm``: remove a model from the Hub's cache, and nothing else.

With ``--json`` it prints one object: ``name``, ``revisions``, ``folder`` and ``freed_bytes``.
"""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sheepgen.cli.console import cli_errors, error_console, error_stream, note, write_data
from sheepgen.cli.options import JsonOpt, ModelArg
from sheepgen.errors import UsageError
from sheepgen.model_names import canonical_model_name
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import byte_size, excerpt

if TYPE_CHECKING:
    from sheepgen.models.hub.cache import HubModel
    from sheepgen.models.hub.removal import RemovalPlan

__all__ = ["rm"]

YesOpt = Annotated[
    bool, typer.Option("-y", "--yes", metavar="", help="Remove it without asking for confirmation.")
]


def rm(model: ModelArg, *, yes: YesOpt = False, json: JsonOpt = False) -> None:
    """Remove a model, or with @revision one of its revisions, from the Hub's cache."""
    with cli_errors():
        from sheepgen.models.hub.removal import plan_removal, remove

        console, name = error_console(), canonical_model_name(model)
        plan = plan_removal(_in_the_cache(name), revision_only="@" in name)
        size = byte_size(plan.freed_bytes)
        note(console, f"{_what(plan)} takes {size} in {plan.folder}.")
        if not yes:
            _ask()
        remove(plan)
        note(console, f"Removed. {size} freed.")
        if json:
            row = {"name": plan.repo, "revisions": plan.commits, "folder": str(plan.folder)}
            write_data(json_format.dumps({**row, "freed_bytes": plan.freed_bytes}))


def _in_the_cache(name: str) -> HubModel:
    """Return the repository that a name stands for; what is not the Hub's is not removed."""
    from sheepgen.models.resolve import locate_model

    if name == EMBEDDED_MODEL:
        raise UsageError(
            f"{EMBEDDED_MODEL} is installed with the program.", "Only cached models can be removed."
        )
    place = locate_model(name)
    if isinstance(place, Path):
        raise UsageError(
            f"{excerpt(name, 200)} is a local file or folder, not one in the Hub's cache.",
            "Only cached models can be removed; delete it yourself.",
        )
    return place


def _what(plan: RemovalPlan) -> str:
    if plan.is_whole:
        return plan.repo
    return f"{plan.repo} at commit {plan.commits[0]}"


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "Cannot ask for confirmation without a terminal.", "Add --yes to remove it."
        )
    stream = error_stream()
    stream.write("Remove it? [y/N] ")
    stream.flush()
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        note(error_console(), "Nothing was removed.")
        raise typer.Exit(1)
