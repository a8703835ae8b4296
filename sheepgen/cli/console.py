"""Output and errors: the one place where errors become messages and exit codes.

Standard output is for data: paths, JSON lines, what was asked for. Standard error is for notes,
bars and errors. Both honour ``NO_COLOR``. Each command creates its own consoles, because they use
the streams of that moment.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import typer
from rich.console import Console
from rich.text import Text

from sheepgen.errors import Interrupted, OutputError, SheepgenError, as_sheepgen_error
from sheepgen.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from rich.console import RenderableType

__all__ = [
    "cli_errors",
    "error_console",
    "error_stream",
    "note",
    "output_console",
    "write_data",
    "write_rich",
]

_UNLIMITED_WIDTH = 10_000
"""Without a terminal no line is wrapped, so that it can be searched."""


def error_console(*, quiet: bool = False) -> Console:
    """Return the console of standard error; a quiet one prints nothing."""
    terminal = _is_terminal(sys.stderr)
    return Console(
        file=error_stream(),
        stderr=True,
        quiet=quiet,
        highlight=False,
        emoji=False,
        width=None if terminal else _UNLIMITED_WIDTH,
        # FORCE_COLOR is for colours; bars still do not belong in a file.
        force_interactive=None if terminal else False,
    )


def error_stream() -> TextIO:
    """Return standard error; what cannot be written there, as on a full disk, is silently lost."""
    return cast("TextIO", _Unfailing(sys.stderr or StringIO()))


def output_console() -> Console:
    """Return the console of standard output."""
    width = None if _is_terminal(sys.stdout) else _UNLIMITED_WIDTH
    return Console(highlight=False, emoji=False, width=width)


def write_rich(content: RenderableType) -> None:
    """Write a table or a picture to standard output.

    Raises:
        OutputError: If it cannot be written, except if the reader is gone.
    """
    with _output_errors():
        output_console().print(content)


def write_data(text: str, *, nl: bool = True) -> None:
    """Write one line of data to standard output, unchanged.

    Characters that the locale's encoding lacks are written in UTF-8.

    Args:
        text: The line.
        nl: Whether it ends there.

    Raises:
        OutputError: If it cannot be written, except if the reader is gone.
    """
    try:
        line = os.fsencode(text)
    except UnicodeEncodeError:
        line = text.encode("utf-8", "surrogateescape")
    with _output_errors():
        typer.echo(line, nl=nl)


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"Cannot write to standard output: {reason}.") from error


def note(console: Console, text: str) -> None:
    """Print one plain message; markup and control characters in it have no effect."""
    console.print(Text(printable(text)))


@contextmanager
def cli_errors(*, verbose: bool = False) -> Iterator[None]:
    """Turn errors into a message on standard error and an exit code.

    Args:
        verbose: Let unexpected errors keep their traceback, and print what is logged: tracebacks
            of errors that stop a single image.

    Raises:
        typer.Exit: With the error's own code; 130 for Ctrl-C, 1 for anything unexpected.
    """
    logger, handler = logging.getLogger("sheepgen"), _Notes()
    level = logger.level
    if verbose:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    except BrokenPipeError as error:  # the reader of standard output is gone
        _drop_unwritten(sys.stdout)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        raise _exit(Interrupted()) from error
    except SheepgenError as error:
        raise _exit(error) from error
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if verbose:
            raise
        raise _exit(as_sheepgen_error(error)) from error
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Notes(logging.Handler):
    """Prints log records as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            note(error_console(), line)


def _exit(error: SheepgenError) -> typer.Exit:
    console = error_console()
    label = "" if isinstance(error, Interrupted) else "Error: "
    console.print(Text.assemble((label, "bold red"), printable(error.message)))
    for line in error.hint.splitlines():
        # A command is not broken into lines, so that it can be copied.
        console.print(Text(printable(line)), soft_wrap=line.startswith("sheepgen "))
    _drop_unwritten(sys.stdout)
    return typer.Exit(error.exit_code)


class _Unfailing:
    """A stream whose errors are ignored."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            _drop_unwritten(self._stream)
            return len(text)

    def flush(self) -> None:
        _drop_unwritten(self._stream)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def _drop_unwritten(stream: TextIO | None) -> None:
    """Flush a stream; if that fails, keep it from failing again when Python exits."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
