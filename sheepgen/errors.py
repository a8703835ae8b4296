"""Every error that sheepgen raises on purpose.

    SheepgenError           exit code 1
    ├── UsageError          exit code 2: what was asked for cannot be; nothing was started
    ├── ModelError          the model cannot be had: missing, damaged, refused, unreachable
    ├── NonFiniteError      NaN or infinity came out of the network
    ├── OutputError         a file could not be read or written
    └── Interrupted         exit code 130: stopped by Ctrl-C

The message says what is wrong and the hint what to do about it. One place, ``cli.console``,
turns them into a line on stderr and an exit code; library code only raises.
"""

from __future__ import annotations

import errno
import re

from sheepgen.sanitize import byte_size, excerpt

__all__ = [
    "Interrupted",
    "ModelError",
    "NonFiniteError",
    "OutputError",
    "SheepgenError",
    "UsageError",
    "as_sheepgen_error",
    "ran_out_of_memory",
]

_MOST_CHARACTERS = 1000
"""Of a message that is not ours: libraries may list thousands of names in theirs."""

_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
)


class SheepgenError(Exception):
    """Base of all expected errors.

    Args:
        message: One sentence that says what is wrong.
        hint: One sentence that says what to do, or an empty string.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SheepgenError):
    """The request itself is wrong."""

    exit_code = 2


class ModelError(SheepgenError):
    """The model cannot be found, fetched, trusted or loaded."""


class NonFiniteError(SheepgenError):
    """NaN or infinity appeared while an image was generated."""


class OutputError(SheepgenError):
    """A file could not be read or written."""


class Interrupted(SheepgenError):  # noqa: N818 - named like KeyboardInterrupt
    """The user asked to stop."""

    exit_code = 130

    def __init__(self, message: str = "Interrupted.", hint: str = "") -> None:
        super().__init__(message, hint)


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that there is not enough memory for what was tried.

    torch says it in words, and only for CUDA with a type of its own.
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in said for words in _OUT_OF_MEMORY)
    )


def as_sheepgen_error(error: Exception) -> SheepgenError:
    """Return the error itself if it was raised on purpose, else one that says what it was.

    What the system refuses, a full memory or disk among it, is nobody's fault; the rest is
    sheepgen's.
    """
    if isinstance(error, SheepgenError):
        return error
    if ran_out_of_memory(error):
        asked = re.search(r"allocate (\d+(?:\.\d+)?) ?(\w+)", str(error))
        more = f" for another {_size(*asked.groups())}" if asked else ""
        said: SheepgenError = SheepgenError(
            f"There is not enough memory{more}.",
            "Choose a smaller --size or --batch-size, or --dtype bf16.",
        )
    elif isinstance(error, OSError) and error.errno is not None and error.strerror:
        place = "" if error.filename is None else f": {error.filename}"
        said = OutputError(f"{error.strerror}{place}", "--verbose shows where it happened.")
    else:
        said = SheepgenError(
            f"Unexpected {type(error).__name__}: {excerpt(error, _MOST_CHARACTERS)}",
            "This is a bug in sheepgen or in a library that it uses; --verbose shows where.",
        )
    said.__cause__ = error
    return said


def _size(number: str, unit: str) -> str:
    return byte_size(round(float(number))) if unit == "bytes" else f"{number} {unit}"
