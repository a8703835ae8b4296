"""``sheepgen config``: the settings for all commands, and where they come from.

With ``--json`` it is one object: ``path`` of the file (null if no file is used), whether it
``exists``, ``settings`` by key, ``presets`` by name and key, and ``loras`` by name; each value with
its ``source``.
"""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - Typer reads the annotation

from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.options import JsonOpt
from sheepgen.cli.user_settings import read_all
from sheepgen.config import PATH_VARIABLE, config_path
from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.cli.user_settings import AllSettings, Setting

__all__ = ["config", "print_path"]


def config(context: typer.Context, *, json: JsonOpt = False) -> None:
    r"""Show the settings that apply to all commands, and where they come from.

    config.toml holds defaults for options (steps = 20), presets for --model
    NAME in \[models.NAME], and names for --lora NAME in \[loras]. Environment
    variables set defaults too: SHEEPGEN_STEPS=20. In order of precedence: the
    command line, the preset of the chosen model, environment variables, the top
    of the file, the model's own defaults. A preset takes precedence over an
    alias or a folder of the same name; ./NAME is always a folder.

    generate, sweep, morph and batch read all settings, but sweep and morph
    ignore output, and morph also what it varies by itself.
    rerun and verify repeat an image, so they read only options of the run, such
    as device, frames and output, and the names that you give. meaning reads
    the model, its options and those of the run, but not output. train, evaluate
    and the other commands read none.

    Paths in the file are relative to the file, except output, which is relative
    to the current directory. SHEEPGEN_CONFIG=FILE uses another file, and an
    empty SHEEPGEN_CONFIG none. SHEEPGEN_OFFLINE=false turns off what the file
    turns on.
    """
    with cli_errors():
        if context.invoked_subcommand is None:
            _print(read_all(context), json=json)
        elif json:
            raise UsageError("`sheepgen config path` has no JSON output.", "Leave out --json.")


def print_path() -> None:
    """Print the path of config.toml, which need not exist."""
    with cli_errors():
        path = config_path()
        if path is None:
            raise UsageError(
                f"{PATH_VARIABLE} is empty, so no file is used.", f"Unset {PATH_VARIABLE}."
            )
        write_data(str(path))


def _print(found: AllSettings, *, json: bool) -> None:
    path = found.config.path
    if json:
        data: dict[str, Any] = {
            "path": None if path is None else str(path),
            "exists": found.config.exists,
            "settings": _described(found.settings),
            "presets": {name: _described(preset) for name, preset in found.presets.items()},
            "loras": _described(found.loras),
        }
        write_data(json_format.dumps(data))
    else:
        shown = f"none, as {PATH_VARIABLE} is empty" if path is None else excerpt(path, 300)
        write_data(f"file: {shown}{'' if found.config.exists or path is None else ' (not there)'}")
        for heading, settings in (
            ("", found.settings),
            *((f"[models.{excerpt(name)}]", preset) for name, preset in found.presets.items()),
            ("[loras]", found.loras),
        ):
            _print_table(heading, settings, f"{excerpt(path, 200)}, ")
    for text in found.notes:
        note(error_console(), text)


def _print_table(heading: str, settings: Mapping[str, Setting], file: str) -> None:
    if not settings:
        return
    write_data("")
    if heading:
        write_data(heading)
    width = max(len(excerpt(key)) for key in settings)
    for key, each in settings.items():
        write_data(
            f"{excerpt(key):<{width}} = {_shown(each.value)}  # {each.place.removeprefix(file)}"
        )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return excerpt(json_format.dumps(value, ensure_ascii=False), 200)


def _described(settings: Mapping[str, Setting]) -> dict[str, dict[str, Any]]:
    return {
        key: {"value": each["value"], "source": each["place"]}
        for key, each in ((key, asdict(setting)) for key, setting in settings.items())
    }
