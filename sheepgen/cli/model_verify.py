"""``sheepgen models verify``: hash a model's files, and compare them with what is recorded.

A line is a file; with ``--json`` it is an object with the fields of
`sheepgen.models.integrity.FileCheck` and the ``model``.
"""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.options import JsonOpt, ModelArg
from sheepgen.cli.user_settings import model_of_preset
from sheepgen.model_names import canonical_model_name
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt, plural

if TYPE_CHECKING:
    from sheepgen.models.hub import HubModel
    from sheepgen.models.integrity import FileCheck

__all__ = ["verify_model"]


def verify_model(model: ModelArg, *, json: JsonOpt = False) -> None:
    """Check a model's files against their recorded hashes. Exits with 1 if one is damaged."""
    with cli_errors():
        from sheepgen.models.integrity import check_files, files_to_check
        from sheepgen.models.resolve import locate_model

        console, name = error_console(), canonical_model_name(model_of_preset(model))
        place = locate_model(name)
        folder, names = files_to_check(place)
        note(console, f"Hashing {plural(len(names), 'file')} in {folder}.")
        checks = []
        for check in check_files(folder, names):
            checks.append(check)
            if json:
                write_data(json_format.dumps({"model": name, **asdict(check)}))
            else:
                write_data(_line(check))
        damaged = [check.name for check in checks if check.state == "damaged"]
        lacking = None if isinstance(place, Path) else _lacking(place, folder)
        if damaged or lacking is not None:
            problem = f"Damaged: {excerpt(', '.join(damaged), 300)}." if damaged else lacking
            note(console, f"{problem} {_what_to_do(name, place)}")
            raise typer.Exit(1)
        unknown = sum(check.state == "not recorded" for check in checks)
        intact = plural(len(checks) - unknown, "file")
        rest = f" No hash is recorded for {plural(unknown, 'file')}." if unknown else ""
        note(console, f"{intact} intact.{rest}")


def _line(check: FileCheck) -> str:
    more = check.problem or (f"sha256 {check.sha256}" if check.state == "not recorded" else "")
    return f"{check.state:<13} {excerpt(check.name, 200)}{'  ' if more else ''}{more}"


def _lacking(model: HubModel, folder: Path) -> str | None:
    """Return what a cached model lacks to run, in a sentence; None if nothing that is known of."""
    from sheepgen.models.hub.inventory import snapshot_state

    _, lacking = snapshot_state(folder, model.repo)
    return None if lacking is None else lacking.message


def _what_to_do(name: str, place: Path | HubModel) -> str:
    if name == EMBEDDED_MODEL:
        return "Reinstall sheepgen."
    if isinstance(place, Path):
        return "Get the model from its source again."
    return f"Run `sheepgen models rm {name}`, then `sheepgen models pull {name}`."
