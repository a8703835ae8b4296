"""Values that the user has set, read as those of the options whose names they have."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.adapters import parse_loras, parse_paths, to_text
from sheepgen.cli import parsers
from sheepgen.cli.option_aliases import canonical_option
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, RANDOM_SEED
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import expand_home

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import typer

    from sheepgen.config import Entry

__all__ = ["SettingReader", "in_folder", "label", "model_of", "options_of"]

_SETTABLE = ("generate", "sweep", "batch")
"""Commands whose options are settings."""

_ONE_RUN = frozenset(
    {
        "prompt",
        "prompt_option",
        "blend",
        "prompts_file",
        "replace",
        "schema",
        "shard",
        "resume",
        "dry_run",
    }
)
"""Options that are about one run, by their parameters."""

_TRUTHS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

_ANY_REQUEST: Mapping[str, Any] = MappingProxyType(
    {"prompt": "any", "seed": 0, "variation_seed": 0, "image": "any"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingReader:
    """Reads settings in the words of the options.

    Args:
        context: Of the command that runs.
        options: Typer's, by the names of their parameters, from `options_of`.
        models: Names of presets, which are not paths.
        loras: Paths of LoRAs by name.
    """

    context: typer.Context
    options: Mapping[str, Any]
    models: Collection[str] = ()
    loras: Mapping[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """Return the key of a parameter: its long option, with underscores."""
        return _longs(self.options[name])[0].replace("-", "_")

    def name(self, key: str) -> str | None:
        """Return the name of the parameter that a key is for, or None."""
        known = FIELDS.get(key)
        option = canonical_option(known.option.removeprefix("--") if known else key)
        return next((name for name, each in self.options.items() if option in _longs(each)), None)

    def nearest(self, key: str) -> str:
        """Return the nearest key, or nothing."""
        nearest = get_close_matches(key.replace("-", "_"), map(self.key, self.options), n=1)
        return nearest[0] if nearest else ""

    def named(self, entries: Iterable[Entry]) -> dict[str, Entry]:
        """Return what was written by the names of parameters; a size is width and height.

        Raises:
            UsageError: If a key is not a setting, or two are the same.
        """
        found: dict[str, Entry] = {}
        for entry in entries:
            for name, each in self._parts(entry):
                if name in found:
                    raise UsageError(
                        f"{entry.place}: {label(name)} is set twice.",
                        f"It is also in {found[name].place}.",
                    )
                found[name] = each
        return found

    def _parts(self, entry: Entry) -> Iterator[tuple[str, Entry]]:
        name = self.name(entry.key)
        if name is None:
            nearest = self.nearest(entry.key)
            raise UsageError(
                f'{entry.place}: Unknown key "{excerpt(entry.key)}".',
                f"Did you mean {nearest}?" if nearest else "`sheepgen config --help` says more.",
            )
        if name != "size":
            yield name, entry
            return
        try:
            sides = parsers.size(_text(name, entry.value))
        except UsageError as error:
            raise _at(entry, error) from error
        for side, pixels in zip(("width", "height"), sides, strict=True):
            yield side, replace(entry, value=pixels)

    def value(self, name: str, entry: Entry, *, in_preset: bool = False) -> Any:  # noqa: ANN401 - of the option's type
        """Return a value as the command gets it; a path in the file is relative to the file.

        Raises:
            UsageError: If it is wrong.
        """
        if name == "model" and not in_preset and entry.value in [*self.models]:
            return entry.value
        try:
            value = self._parsed(name, entry.value)
        except UsageError as error:
            raise _at(entry, error) from error
        if entry.folder is None:
            return value
        if name == "wildcards":
            return entry.folder / value
        if name not in FIELDS:
            return value
        return self._located(name, value, entry.folder)

    def _parsed(self, name: str, written: object) -> Any:  # noqa: ANN401 - as above
        option = self.options[name]
        if option.is_flag:
            return _truth(name, written)
        items = written if option.multiple and isinstance(written, list) else [written]
        texts = [_text(name, each) for each in items]
        value = option.process_value(self.context, texts if option.multiple else texts[0])
        if name not in FIELDS:
            return value
        value = ",".join(value) if option.multiple else value
        if FIELDS[name].is_seed and value == RANDOM_SEED:
            return value
        return getattr(GenerationRequest(**{**_ANY_REQUEST, name: value}), name)

    def _located(self, name: str, value: Any, folder: Path) -> Any:  # noqa: ANN401 - as above
        """Return a value with paths that do not depend on the current folder."""
        if name == "lora":
            return to_text(
                tuple(
                    each._replace(path=self.loras.get(each.path) or in_folder(each.path, folder))
                    for each in parse_loras(value)
                )
            )
        if name == "embedding":
            return ",".join(in_folder(path, folder) for path in parse_paths(name, value))
        if name in ("transformer", "vae"):
            return value and in_folder(value, folder)
        if name == "model":
            return model_of(value, folder)
        return _absolute(value, folder) if FIELDS[name].is_file else value


def options_of(context: typer.Context) -> dict[str, Any]:
    """Return the options that are settings, as Typer has them, by the names of their parameters."""
    commands: Any = context.find_root().command
    return {
        option.name: option
        for command in reversed(_SETTABLE)  # of those that several have, the first one's
        for option in commands.commands[command].params
        if option.param_type_name == "option" and option.name not in {"help", *_ONE_RUN}
    }


def in_folder(path: str, folder: Path) -> str:
    """Return the path of weights, if it is relative to a folder; or a name on the Hub as it is."""
    from sheepgen.models.hub import parse_hub_path

    is_on_hub = parse_hub_path(path) is not None
    if is_on_hub and not any(map(os.path.exists, (folder / path, folder / path.partition("/")[0]))):
        return path
    return _absolute(path, folder)


def _absolute(path: str, folder: Path) -> str:
    """Return a path that does not depend on a folder; images do not say whose home it is in."""
    own, home = folder / expand_home(path), Path(expand_home("~"))
    is_at_home = home != Path(home.anchor) and own.is_relative_to(home)
    return f"~/{own.relative_to(home).as_posix()}" if is_at_home else str(own)


def label(name: str) -> str:
    """Return what the user calls an option."""
    return FIELDS[name].label if name in FIELDS else name.replace("_", " ")


def _longs(option: Any) -> list[str]:  # noqa: ANN401 - Typer's own
    """Return the long spellings of an option, without their dashes."""
    return [each.removeprefix("--") for each in option.opts if each.startswith("--")]


def _at(entry: Entry, error: UsageError) -> UsageError:
    return UsageError(f"{entry.place}: {error.message.removeprefix('--')}", error.hint)


def _text(name: str, written: object) -> str:
    """Return a value as it would be typed."""
    kind: type | None = FIELDS[name].kind if name in FIELDS else None
    is_number = isinstance(written, int | float) and not isinstance(written, bool)
    if isinstance(written, str) or (is_number and kind is not str):
        return str(written)
    wanted = "text" if kind is str else "a number" if kind else "text or a number"
    found = {bool: "true or false", list: "a list"}.get(type(written), excerpt(written))
    raise UsageError(f"{label(name)} must be {wanted}, got {found}.")


def _truth(name: str, written: object) -> bool:
    truth = _TRUTHS.get(str(written).lower()) if isinstance(written, bool | str) else None
    if truth is None:
        raise UsageError(f"{label(name)} must be true or false, got {excerpt(written)}.")
    return truth


def model_of(value: str, folder: Path) -> str:
    """Return a model's name, or its path from the current folder."""
    return _absolute(value, folder) if _is_model_path(value, folder) else value


def _is_model_path(name: str, folder: Path) -> bool:
    if name == EMBEDDED_MODEL:
        return False
    if name.startswith((".", "~", "/", "\\")) or name.endswith(".safetensors"):
        return True
    return os.path.exists(folder / name)  # noqa: PTH110 - any name will do
