"""Where commands speak, and the one place where errors become words and exit codes.

Standard output is data: paths, JSON lines, what was asked to be shown. Standard error is
conversation: notes, bars, errors. Both honour ``NO_COLOR``. Consoles are made by each command,
for they take the streams as they are at that moment.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from sheepgen.errors import Interrupted, SheepgenError, as_sheepgen_error
from sheepgen.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

__all__ = ["cli_errors", "error_console", "note", "output_console", "write_data"]

_UNLIMITED_WIDTH = 10_000
"""Off a terminal no line is wrapped, so that it can be searched for."""


def error_console(*, quiet: bool = False) -> Console:
    """Return the console of standard error; a quiet one prints nothing."""
    terminal = _is_terminal(sys.stderr)
    return Console(
        stderr=True,
        quiet=quiet,
        highlight=False,
        emoji=False,
        width=None if terminal else _UNLIMITED_WIDTH,
        # FORCE_COLOR asks for colours; it is no reason to draw bars into a file.
        force_interactive=None if terminal else False,
    )


def output_console() -> Console:
    """Return the console of standard output, for tables."""
    width = None if _is_terminal(sys.stdout) else _UNLIMITED_WIDTH
    return Console(highlight=False, emoji=False, width=width)


def write_data(text: str) -> None:
    """Write one line of data to standard output, as it is."""
    typer.echo(os.fsencode(text))


def note(console: Console, text: str) -> None:
    """Print one plain message, without obeying anything in it."""
    console.print(Text(printable(text)))


@contextmanager
def cli_errors(*, verbose: bool = False) -> Iterator[None]:
    """Turn what goes wrong into a message on standard error and an exit code.

    Args:
        verbose: Let errors nobody expected keep their traceback, and tell what is logged: the
            tracebacks of those that stop but one image.

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
    except BrokenPipeError as error:
        # Whoever read standard output has enough. Nothing may be flushed into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    """Tells what is logged as notes, without obeying anything in it."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            note(error_console(), line)


def _exit(error: SheepgenError) -> typer.Exit:
    console = error_console()
    label = "" if isinstance(error, Interrupted) else "Error: "
    console.print(Text.assemble((label, "bold red"), printable(error.message)))
    if error.hint:
        note(console, error.hint)
    return typer.Exit(error.exit_code)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
