"""What the user has set for all commands, in ``SHEEPGEN_…`` variables and in ``config.toml``.

    options > preset of the chosen model > SHEEPGEN_… variables > top of config.toml > model's own

Presets are checked whole. Of the rest, a command reads what it has a use for, unless that is given
on its command line: a device that another machine has is not in the way then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.adapters import parse_loras
from sheepgen.cli.setting_values import SettingReader, in_folder, label, model_of, options_of
from sheepgen.config import PATH_VARIABLE, Entry, read_config
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.presets import Presets
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

    from sheepgen.config import Config, Table

__all__ = [
    "AllSettings",
    "Setting",
    "UserSettings",
    "model_of_preset",
    "read_all",
    "user_settings",
]

_PREFIX = "SHEEPGEN_"
_MOST_NOTES = 3

_AS_IT_WAS = frozenset({*FIELDS, "count", "dtype", "batch_size"})
"""What a command that repeats an image has from the image."""

_NOT_READ: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "generate": frozenset(),
        "sweep": frozenset({"output"}),  # each has a folder of its own
        "morph": frozenset({"output", "variation_seed", "variation_strength"}),  # it varies them
        "batch": frozenset(),
        "explain": frozenset({"count", "frames"}),  # one image, whose page has the frames
        "rerun": _AS_IT_WAS,
        "verify": _AS_IT_WAS,
        "meaning": frozenset({"output"}),  # which is about images there
    }
)
"""The commands that read settings, and which they do not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserSettings:
    """What a command takes of the settings; nothing that is given on its command line.

    Args:
        fields: Of a request, by name.
        options: The other options, by the names of their parameters.
        presets: What the user's names for models and LoRAs stand for.
        notes: On variables that are not settings.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    presets: Presets = field(default_factory=Presets)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A value that was set, and where."""

    value: Any
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AllSettings:
    """Everything that is set, by key.

    Args:
        config: The file.
        settings: The variables, and what they leave of the top of the file.
        presets: By the names of models.
        loras: Paths by name.
        notes: On variables that are not settings.
    """

    config: Config
    settings: Mapping[str, Setting]
    presets: Mapping[str, Mapping[str, Setting]]
    loras: Mapping[str, Setting]
    notes: tuple[str, ...]


def user_settings(context: typer.Context) -> UserSettings:
    """Return the settings for the command that runs.

    Raises:
        UsageError: If the file cannot be read, or something in it or in a variable is wrong.
    """
    command = str(context.command.name)
    if command not in _NOT_READ:
        return UserSettings()
    given = _given(context)
    config = read_config()
    reader = _reader(context, config)
    variables, notes = _variables(reader)
    values = {
        name: reader.value(name, entry)
        for name, entry in (reader.named(config.entries) | variables).items()
        if name in FIELDS.keys() | context.params.keys() and name not in _NOT_READ[command] | given
    }
    fields = {name: value for name, value in values.items() if name in FIELDS}
    # Fields about a picture are for commands that have one; a batch's jobs may bring theirs.
    if command != "batch" and "image" not in fields.keys() | given:
        fields = {name: value for name, value in fields.items() if not FIELDS[name].needs_image}
    presets = {
        name: {key: setting.value for key, setting in _preset(reader, name, table).items()}
        for name, table in config.presets.items()
    }
    return UserSettings(
        fields=fields,
        options={name: value for name, value in values.items() if name not in FIELDS},
        presets=Presets(models=presets, loras=reader.loras).without(given),
        notes=notes,
    )


def model_of_preset(name: str) -> str:
    """Return the model that a preset stands for, and any other name as it is.

    Raises:
        UsageError: If the file cannot be read, or the preset's model is not text.
    """
    table = read_config().presets.get(name)
    entry = next((each for each in table.entries if each.key == "model"), None) if table else None
    if entry is None:
        return name
    if not isinstance(entry.value, str):
        raise UsageError(f"{entry.place}: model must be text.")
    return model_of(entry.value, entry.folder or Path())


def read_all(context: typer.Context) -> AllSettings:
    """Return everything that is set.

    Raises:
        UsageError: If the file cannot be read, or anything is wrong.
    """
    config = read_config()
    reader = _reader(context, config)
    variables, notes = _variables(reader)
    settings = {
        name: Setting(value=reader.value(name, entry), place=entry.place)
        for entries in (reader.named(config.entries), variables)
        for name, entry in entries.items()
    }
    presets = {name: _preset(reader, name, table) for name, table in config.presets.items()}
    return AllSettings(
        config=config,
        settings={reader.key(name): each for name, each in settings.items()},
        presets={
            preset: {reader.key(name): each for name, each in fields.items()}
            for preset, fields in presets.items()
        },
        loras={
            entry.key: Setting(value=reader.loras[entry.key], place=entry.place)
            for entry in config.loras
        },
        notes=notes,
    )


def _given(context: typer.Context) -> frozenset[str]:
    """Return the names of the parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    return frozenset({*given, *(("width", "height") if "size" in given else ())})


def _reader(context: typer.Context, config: Config) -> SettingReader:
    return SettingReader(
        context=context,
        options=options_of(context),
        models=config.presets.keys(),
        loras={entry.key: _lora_path(entry) for entry in config.loras},
    )


def _variables(reader: SettingReader) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """Return the variables that are settings, and a note on each other one."""
    found, notes = [], []
    for variable, text in sorted(os.environ.items()):
        if not variable.startswith(_PREFIX) or variable == PATH_VARIABLE or not text:
            continue
        key = variable.removeprefix(_PREFIX).lower()
        if reader.name(key) is not None:
            found.append(Entry(key=key, value=text, place=variable))
            continue
        nearest = reader.nearest(key)
        hint = f" Did you mean {_PREFIX}{nearest.upper()}?" if nearest else ""
        notes.append(f"{excerpt(variable)} is not a setting.{hint}")
    return reader.named(found), tuple(first_of(notes, _MOST_NOTES))


def _preset(reader: SettingReader, preset: str, table: Table) -> dict[str, Setting]:
    """Return the fields that a preset sets."""
    _check_name(table.place, preset, "preset", ",")
    if preset == EMBEDDED_MODEL:
        raise UsageError(
            f"{table.place}: {preset} is the installed model.",
            "Choose another name for the preset.",
        )
    named = reader.named(table.entries)
    for name, entry in named.items():
        if name not in FIELDS:
            raise UsageError(
                f"{entry.place}: {label(name)} cannot be set in a preset.",
                "Move it to the top of the file.",
            )
    if "model" not in named:
        raise UsageError(
            f"{table.place}: The preset {excerpt(preset)} has no model.",
            'Add what --model takes: model = "org/name", or a path.',
        )
    return {
        name: Setting(value=reader.value(name, entry, in_preset=True), place=entry.place)
        for name, entry in named.items()
    }


def _lora_path(entry: Entry) -> str:
    """Return the path that stands at a name in the file."""
    _check_name(entry.place, entry.key, "LoRA", ",:/\\")
    try:
        FIELDS["lora"].check(entry.value)
        loras = parse_loras(entry.value) if isinstance(entry.value, str) else ()
    except (UsageError, TypeError):
        loras = ()
    if [scale for _, scale in loras] != [1]:
        raise UsageError(
            f"{entry.place}: {excerpt(entry.key)} must be the path of a LoRA.",
            "Give the scale where the name is used, as in --lora name:0.8.",
        )
    assert entry.folder is not None, "only the file has such a table"
    return in_folder(loras[0].path, entry.folder)


def _check_name(place: str, name: str, what: str, forbidden: str) -> None:
    """Refuse a name that cannot be typed in place of what it stands for."""
    is_word = name.strip() == name != "" and name.isprintable()
    if not is_word or name[0] in ".~/\\-" or set(name) & set(forbidden):
        raise UsageError(
            f'{place}: "{excerpt(name)}" cannot be the name of a {what}.',
            f"Use a word without {' '.join(forbidden)} that does not look like a path.",
        )
