"""The user's ``config.toml``: where it is, and what is written in it.

Only its form is checked here; what keys mean, and which values they take, the commands know. The
library never reads it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from platformdirs import user_config_path

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import expand_home, read_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PATH_VARIABLE", "Config", "Entry", "Table", "config_path", "read_config"]

PATH_VARIABLE = "SHEEPGEN_CONFIG"
"""Names another file; empty, there is none."""

_MAX_BYTES = 100_000
_TABLES = ("models", "loras")
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A value that the user has set, as it was written.

    Args:
        key: Its name, as it was written.
        value: Text, a number, a truth value, a list or whatever else TOML has.
        place: Where it was written, for messages.
        folder: What paths in it are relative to; None for the current folder.
    """

    key: str
    value: Any
    place: str
    folder: Path | None = None


class Table(NamedTuple):
    """A table, where it begins, and its values."""

    place: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What the file holds; nothing if there is none.

    Args:
        path: Of the file.
        exists: Whether it is there.
        entries: At the top.
        presets: By the names of ``[models.NAME]``.
        loras: Of ``[loras]``.
    """

    path: Path | None = None
    exists: bool = False
    entries: tuple[Entry, ...] = ()
    presets: Mapping[str, Table] = field(default_factory=dict)
    loras: tuple[Entry, ...] = ()


def config_path() -> Path | None:
    """Return the path of the file, which need not exist; None if the user wants none."""
    named = os.environ.get(PATH_VARIABLE)
    if named is None:
        return user_config_path("sheepgen", appauthor=False) / "config.toml"
    return Path(expand_home(named)) if named else None


def read_config() -> Config:
    """Return what the file holds.

    Raises:
        UsageError: If it is named and not there, cannot be read, is too large, is not TOML, or has
            a table of another name.
    """
    import tomllib

    path = config_path()
    if path is None:
        return Config()
    try:
        text = read_untrusted(path, max_bytes=_MAX_BYTES).decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError) as error:
        if PATH_VARIABLE in os.environ:
            raise UsageError(
                f"{excerpt(path, 200)} does not exist.",
                f"Correct {PATH_VARIABLE}, or unset it.",
            ) from error
        return Config(path=path)
    except UnicodeDecodeError as error:
        raise UsageError(f"{excerpt(path, 200)} is not UTF-8 text.", "Convert it.") from error
    except OSError as error:
        raise UsageError(
            f"{excerpt(path, 200)} cannot be read: {error.strerror}.",
            f"Fix it, or run with {PATH_VARIABLE}= to ignore it.",
        ) from error
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _not_toml(path, error) from error
    return _File(path, _lines(text)).config(data)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    lines: Mapping[tuple[str, ...], int]

    def config(self, data: Mapping[str, Any]) -> Config:
        presets = self._table(data, "models")
        tables = [key for key, value in data.items() if isinstance(value, dict)]
        for key in tables:
            if key not in _TABLES:
                raise UsageError(
                    f'{self._place(key)}: Unknown table "{excerpt(key)}".',
                    "Known: [models.NAME] for a preset, [loras] for names of LoRAs.",
                )
        rest = {key: value for key, value in data.items() if key not in _TABLES}
        return Config(
            path=self.path,
            exists=True,
            entries=tuple(self._entries(rest)),
            presets={
                name: Table(
                    self._place("models", name),
                    tuple(self._entries(self._table(presets, name, "models"), "models", name)),
                )
                for name in presets
            },
            loras=tuple(self._entries(self._table(data, "loras"), "loras")),
        )

    def _table(self, data: Mapping[str, Any], name: str, *inside: str) -> Mapping[str, Any]:
        value = data.get(name, {})
        if not isinstance(value, dict):
            what = f"[{excerpt('.'.join((*inside, name)))}]"
            raise UsageError(
                f"{self._place(*inside, name)}: {excerpt(name)} must be a table.",
                f"Write {what} in a line of its own, and its keys below.",
            )
        return value

    def _entries(self, table: Mapping[str, Any], *inside: str) -> Iterator[Entry]:
        for key, value in table.items():
            place = self._place(*inside, key)
            if isinstance(value, dict):
                raise UsageError(
                    f"{place}: {excerpt('.'.join((*inside, key)))} is a table in a table.",
                    'Quote a name that contains a dot, as in [models."v1.5"].',
                )
            yield Entry(key=key, value=value, place=place, folder=self.path.absolute().parent)

    def _place(self, *keys: str) -> str:
        """Return the file, and the line of a key, or else of the table that it is in."""
        ends = range(len(keys), 0, -1)
        line = next((self.lines[keys[:end]] for end in ends if keys[:end] in self.lines), None)
        name = excerpt(self.path, 200)
        return name if line is None else f"{name}, line {line}"


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the number of the line of each key and table, as far as one line shows it.

    tomllib reads each line by itself: a table's heading, or a key with a number for its value.
    """
    import tomllib

    found: dict[tuple[str, ...], int] = {}
    inside: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        is_heading = line.lstrip().startswith("[")
        try:
            read: Any = tomllib.loads(line if is_heading else f"{line.partition('=')[0]}=0")
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        keys: tuple[str, ...] = ()
        while isinstance(read, dict) and read:
            key, read = next(iter(read.items()))
            keys += (key,)
        inside, keys = (keys, keys) if is_heading else (inside, inside + keys)
        for end in range(1, len(keys) + 1):
            found.setdefault(keys[:end], number)
    return found


def _not_toml(path: Path, error: Exception) -> UsageError:
    text = "It is nested too deep" if isinstance(error, RecursionError) else str(error)
    found = _PLACE.fullmatch(text)
    message, line = (found[1], found[2]) if found else (text, None)
    place = f"{excerpt(path, 200)}, line {line}" if line else excerpt(path, 200)
    return UsageError(
        f"{place}: {excerpt(message, 200)}.",
        'The file is in TOML (https://toml.io): steps = 20, frames = "none".',
    )
