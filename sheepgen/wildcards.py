"""A folder of text files with one choice per line, from which ``__name__`` in a prompt is picked.

``__place__`` is a line of ``place.txt``, and ``__animals/birds__`` one of ``animals/birds.txt``.
Blank lines and those that begin with # do not count. Such folders are shared by people who do not
know each other, so their files are not trusted: only regular files of bounded size in the folder
itself are read, as UTF-8.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from sheepgen.errors import UsageError
from sheepgen.line_file import split_lines
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import expand_home, lies_in, read_untrusted

__all__ = ["NAME", "Wildcards"]

_PART = r"[^\W_](?:(?!__)[\w .-])*"
NAME = rf"{_PART}(?:/{_PART})*"
"""Regular expression of a wildcard's name: neither a part that is hidden or ``..`` nor two
underscores are in it."""

_MAX_FILE_BYTES = 16_000_000
_MAX_LISTED = 1_000
"""Files that are looked through for a name that is near."""


@dataclass(frozen=True, slots=True)
class Wildcards:
    """A folder of wildcards. Each file is read once, when it is first named.

    Args:
        folder: Its path; a leading ``~`` is the home folder.

    Raises:
        UsageError: If it is not a folder.
    """

    folder: Path
    _lines: dict[str, tuple[str, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check the folder."""
        object.__setattr__(self, "folder", Path(expand_home(str(self.folder))))
        if not os.path.isdir(self.folder):  # noqa: PTH112 - pathlib's fails for long names
            raise UsageError(
                f"No such folder: {excerpt(self.folder, 200)}.",
                "Give the folder of your wildcards, one choice per line in each .txt file.",
            )

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the choices of a wildcard, at least one, without spaces around them.

        Args:
            name: Between its underscores, as in ``animals/birds``.

        Raises:
            UsageError: If the file does not exist, cannot be read, is too large or has no lines.
        """
        if name not in self._lines:
            self._lines[name] = self._read(name)
        return self._lines[name]

    def _read(self, name: str) -> tuple[str, ...]:
        path = self.folder / f"{name}.txt"
        if not re.fullmatch(NAME, name):
            raise self._missing(name, path)
        if not lies_in(self.folder, path):
            raise UsageError(
                f"{excerpt(path, 200)} is a link out of the folder of wildcards.",
                "Put the file itself there.",
            )
        try:
            text = read_untrusted(path, max_bytes=_MAX_FILE_BYTES).decode()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._missing(name, path) from error
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, getattr(error, "strerror", "not UTF-8 text")) from error
        if "\0" in text:
            raise _unreadable(path, "it has a NUL character")
        choices = split_lines(text)
        if not choices:
            raise UsageError(f"{excerpt(path, 200)} has no lines.", "Write one choice per line.")
        return choices

    def _missing(self, name: str, path: Path) -> UsageError:
        files = islice(path.parent.glob("*.txt"), _MAX_LISTED)
        names = [file.relative_to(self.folder).with_suffix("").as_posix() for file in files]
        near = get_close_matches(name, names, n=1)
        meant = f"Did you mean __{excerpt(near[0])}__? " if near else ""
        return UsageError(
            f"Unknown wildcard __{excerpt(name)}__: {excerpt(path, 200)} does not exist.",
            rf"{meant}For the words themselves, write \__{excerpt(name)}__.",
        )


def _unreadable(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"Cannot read {excerpt(path, 200)}: {reason}.",
        "Use a UTF-8 text file with one choice per line.",
    )
