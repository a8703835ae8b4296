"""From the words of a command line to a command, and what is said if they do not make one.

A command line that starts with no command is one of ``generate``. Whatever else Typer finds wrong
goes through the same boundary, and looks the same, as all other errors.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from sheepgen.cli.console import cli_errors
from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["PROMPT", "Command", "CommandGroup", "with_default_command"]

DEFAULT_COMMAND = "generate"
PROMPT = "PROMPT"
"""Metavar of the argument of commands that draw what it says."""

_ROOT_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")
_MEANT = "sheepgen.meant"
_LONG_NAME = 6
"""Letters from which on a command's name is far enough from every word that one may want drawn."""


class CommandGroup(TyperGroup):
    """All commands; words that start with none of them are for ``generate``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own
        """Find the command."""
        completing_first_word = ctx.resilient_parsing and not args
        with _usage_errors(ctx):
            words = args if completing_first_word else with_default_command(args, self.commands)
            if words[:1] == [DEFAULT_COMMAND] != args[:1]:
                self._look_for_slip(ctx, args)
            return super().parse_args(ctx, list(words))

    def _look_for_slip(self, ctx: Any, args: Sequence[str]) -> None:  # noqa: ANN401 - as above
        """Remember which command a first word may be meant for; refuse a prompt that is nearly one.

        Raises:
            UsageError: If it is one word, and nearer to a command than to anything to draw.
        """
        word = next(iter(args), "")
        near = next((name for name in self.commands if _is_slip_of(word, name)), None)
        if near is None:
            return
        meant = f"Did you mean the command? {_pasted(near, *args[1:])}"
        alone = len(args) == 1 or args[1].startswith("-")
        if alone and len(near) >= _LONG_NAME:
            raise UsageError(
                f'There is no command "{excerpt(word)}".',
                f"{meant}\nTo draw the word: {_pasted(DEFAULT_COMMAND, *args)}",
            )
        ctx.meta[_MEANT] = meant

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401 - as above
        """Offer commands, and the options that may stand in place of one."""
        items = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            command = self.commands[DEFAULT_COMMAND]
            with command.make_context(
                DEFAULT_COMMAND, [], parent=ctx, resilient_parsing=True
            ) as inner:
                own = {item.value for item in items}
                more = command.shell_complete(inner, incomplete)
                items += [item for item in more if item.value not in own]
        return items


class Command(TyperCommand):
    """One command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as above
        """Read options and arguments; what is left over is answered with what to type instead."""
        with _usage_errors(ctx):
            ctx.allow_extra_args = True
            left: list[str] = super().parse_args(ctx, list(args))
            if left and not ctx.resilient_parsing:
                raise self._too_many(ctx, args, left)
            return left

    def _too_many(self, ctx: Any, args: Sequence[str], left: Sequence[str]) -> UsageError:  # noqa: ANN401
        argument = next((param for param in self.params if param.metavar == PROMPT), None)
        if argument is None:
            return UsageError(f"Too many arguments: {excerpt(' '.join(left), 200)}.")
        words = [ctx.params[argument.name], *left]
        command = [] if self.name == DEFAULT_COMMAND else [self.name or ""]
        return UsageError(
            f"The prompt is {len(words)} words without quotes.",
            f"Put it in quotes: {_pasted(*command, *_joined(args, words))}",
        )


def with_default_command(words: Sequence[str], commands: Collection[str]) -> list[str]:
    """Return the command line with ``generate`` in front, unless it starts with a command.

    Only the first word counts: ``sheepgen generate sweep`` draws what is called like a command,
    and ``sheepgen --seed 42 'a sheep'`` starts with no command either.

    Raises:
        UsageError: If help is asked for on something that is not a command.
    """
    match list(words):
        case []:
            return [DEFAULT_COMMAND] if _prompt_is_piped() else ["--help"]
        case ["help"]:
            return ["--help"]
        case ["help", name]:
            if name not in commands:
                raise UsageError(
                    f'There is no command "{excerpt(name)}".', f"Commands: {', '.join(commands)}."
                )
            return [name, "--help"]
        case [first, *_] if first in commands or first.partition("=")[0] in _ROOT_OPTIONS:
            return list(words)
        case _:
            return [DEFAULT_COMMAND, *words]


def _prompt_is_piped() -> bool:
    """Say whether standard input is a pipe or a file, which ``/dev/null`` and terminals are not."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or not a file at all
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


@contextmanager
def _usage_errors(ctx: Any) -> Iterator[None]:  # noqa: ANN401 - as above
    """Say what is wrong with a command line as every other error is said."""
    with cli_errors():
        try:
            yield
        except typer.TyperException as error:
            raise _in_own_words(error, ctx) from error
        except UsageError as error:
            error.hint = "\n".join(filter(None, (error.hint, ctx.meta.get(_MEANT))))
            raise


def _in_own_words(error: typer.TyperException, ctx: Any) -> UsageError:  # noqa: ANN401 - as above
    help_command = f"`{ctx.command_path} --help` lists what it takes."
    option, nearest = (getattr(error, name, None) for name in ("option_name", "possibilities"))
    message, hint = error.format_message(), help_command
    if hasattr(error, "possibilities"):
        message = f'Unknown option "{excerpt(option)}".'
        hint = f"Did you mean {' or '.join(nearest)}?" if nearest else help_command
    return UsageError(message, "\n".join(filter(None, (hint, ctx.meta.get(_MEANT)))))


def _pasted(*words: str) -> str:
    """Return a command line that can be pasted into a shell."""
    return excerpt(shlex.join(["sheepgen", *words]), 500)


def _joined(args: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return ``args`` with the prompt's words, if they stand together, as one; else the prompt.

    Taken from the right, for before the words, but not after them, values of options may look the
    same.
    """
    for start in range(len(args) - len(words), -1, -1):
        end = start + len(words)
        if list(args[start:end]) == list(words):
            return [*args[:start], " ".join(words), *args[end:]]
    return [" ".join(words)]


def _is_slip_of(word: str, name: str) -> bool:
    """Say whether a letter of ``name`` is left out, added, or swapped with the next.

    In a long name a letter may also be wrong; in short ones it makes another word, as of sweep
    "sheep".
    """
    word = word.lower()
    swapped = {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(len(name) - 1)}
    wrong = sum(a != b for a, b in zip(word, name, strict=False)) + abs(len(word) - len(name))
    return (
        wrong <= (len(name) >= _LONG_NAME)
        or word in swapped | _without_one(name)
        or name in _without_one(word)
    )


def _without_one(word: str) -> set[str]:
    return {word[:i] + word[i + 1 :] for i in range(len(word))}
