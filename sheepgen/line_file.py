"""Text files with one entry per line: prompts, words."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.sanitize import byte_size, excerpt
from sheepgen.untrusted_file import expand_home, open_named

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_line_file", "split_lines"]


def split_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text, without blank lines and those that begin with #.

    Args:
        text: A byte order mark in front is left out.
    """
    # Not str.splitlines, which also splits at characters that are not line ends in a file.
    lines = map(str.strip, io.StringIO(text.removeprefix("\ufeff"), newline=None))
    return tuple(line for line in lines if line and not line.startswith("#"))


def read_line_file(path: Path, entry: str, *, max_bytes: int) -> tuple[str, ...]:
    """Return the lines of a text file, as `split_lines` does.

    Args:
        path: Of a file or pipe; a leading ``~`` is the home folder.
        entry: What a line is, for the message: ``prompt``.
        max_bytes: More are not read.

    Raises:
        UsageError: If it cannot be read, or is too large.
    """
    try:
        with open_named(expand_home(str(path))) as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise ValueError(f"more than {byte_size(max_bytes)}")
        return split_lines(data.decode())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = "not UTF-8 text"
        raise UsageError(
            f"Cannot read {entry}s from {excerpt(path, 200)}: {reason}.",
            f"Use a UTF-8 text file with one {entry} per line.",
        ) from error
