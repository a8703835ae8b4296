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

__all__ = [
    "Interrupted",
    "ModelError",
    "NonFiniteError",
    "OutputError",
    "SheepgenError",
    "UsageError",
    "as_sheepgen_error",
]


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
    """NaN or infinity appeared while an image was being made."""


class OutputError(SheepgenError):
    """A file could not be read or written."""


class Interrupted(SheepgenError):  # noqa: N818 - named like KeyboardInterrupt
    """The user asked to stop."""

    exit_code = 130

    def __init__(self, message: str = "Interrupted.", hint: str = "") -> None:
        super().__init__(message, hint)


def as_sheepgen_error(error: Exception) -> SheepgenError:
    """Return the error itself if it was raised on purpose, else one that says it was not."""
    if isinstance(error, SheepgenError):
        return error
    unexpected = SheepgenError(
        f"Unexpected {type(error).__name__}: {error}",
        "This is a fault in sheepgen or below it; --verbose shows where.",
    )
    unexpected.__cause__ = error
    return unexpected
