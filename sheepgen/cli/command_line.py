"""Find the command in a command line, and report what is wrong with it.

A command line that does not start with a command is one for ``generate``. Typer's own errors go
through the same boundary as all others, and look the same.
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

__all__ = ["PROMPT", "TYPED", "Command", "CommandGroup", "SubcommandGroup", "with_default_command"]

DEFAULT_COMMAND = "generate"
PROMPT = "PROMPT"
"""Metavar of the argument that is a prompt."""

_ROOT_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")
TYPED = "sheepgen.typed"
"""Key of what a context's ``meta`` has of the words after the command's name."""

_MEANT = "sheepgen.meant"
_LONG_NAME = 6
"""From this length on, a typo of a command's name is unlikely to be meant as a prompt."""


class CommandGroup(TyperGroup):
    """All commands; a command line without one is for ``generate``."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - Typer's own
        """Return the options, which ``--help`` shows without Python's types."""
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own
        """Find the command."""
        completing_first_word = ctx.resilient_parsing and not args
        with _usage_errors(ctx):
            words = args if completing_first_word else with_default_command(args, self.commands)
            if words[:1] == [DEFAULT_COMMAND] != args[:1]:
                self._look_for_slip(ctx, args)
            return super().parse_args(ctx, list(words))

    def _look_for_slip(self, ctx: Any, args: Sequence[str]) -> None:  # noqa: ANN401 - as above
        """Remember which command the first word may be a typo of; reject a prompt that is just one.

        Raises:
            UsageError: If the prompt is one word and very close to the name of a command.
        """
        word = next(iter(args), "")
        near = next((name for name in self.commands if _is_slip_of(word, name)), None)
        if near is None:
            return
        meant = f"Did you mean: {_pasted(near, *args[1:])}"
        alone = len(args) == 1 or args[1].startswith("-")
        if alone and len(near) >= _LONG_NAME:
            raise UsageError(
                f'Unknown command "{excerpt(word)}".',
                f"{meant}\nTo use it as the prompt: {_pasted(DEFAULT_COMMAND, *args)}",
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


class SubcommandGroup(TyperGroup):
    """A command that does something by itself, and has commands of its own."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        """Return the options, which ``--help`` shows without Python's types."""
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as above
        """Read the options in front of its command."""
        with _usage_errors(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """Find the command."""
        with _usage_errors(ctx):
            if args[0] not in self.commands:
                raise UsageError(
                    f'Unknown command "{excerpt(f"{self.name} {args[0]}")}".',
                    f"Commands: {', '.join(self.commands)}.",
                )
            return super().resolve_command(ctx, args)


class Command(TyperCommand):
    """One command."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - as above
        """Return arguments and options, which ``--help`` shows without Python's types."""
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as above
        """Read options and arguments; if some are left over, say what to type instead."""
        with _usage_errors(ctx):
            ctx.allow_extra_args = True
            ctx.meta[TYPED] = tuple(args)
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
            f"The prompt is {len(words)} words, not in quotes.",
            f"Quote it: {_pasted(*command, *_joined(args, words))}",
        )


def _without_types(parameters: list[Any]) -> list[Any]:
    for each in parameters:
        if each.param_type_name == "argument" or each.metavar is None:
            each.display_type_rich = _no_type
    return parameters


def _no_type(ctx: object) -> str:  # noqa: ARG001 - as Typer calls it
    return ""


def with_default_command(words: Sequence[str], commands: Collection[str]) -> list[str]:
    """Return the command line with ``generate`` in front, unless it starts with a command.

    Only the first word counts: in ``sheepgen generate sweep``, "sweep" is the prompt, and
    ``sheepgen --seed 42 'a sheep'`` is for ``generate``.

    Raises:
        UsageError: If help is requested for an unknown command.
    """
    match list(words):
        case []:
            return [DEFAULT_COMMAND] if _prompt_is_piped() else ["--help"]
        case ["help"]:
            return ["--help"]
        case ["help", name]:
            if name not in commands:
                raise UsageError(
                    f'Unknown command "{excerpt(name)}".', f"Commands: {', '.join(commands)}."
                )
            return [name, "--help"]
        case [first, *_] if first in commands or first.partition("=")[0] in _ROOT_OPTIONS:
            return list(words)
        case _:
            return [DEFAULT_COMMAND, *words]


def _prompt_is_piped() -> bool:
    """Return whether standard input is a pipe or file; ``/dev/null`` and terminals are not."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # closed, or without a file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


@contextmanager
def _usage_errors(ctx: Any) -> Iterator[None]:  # noqa: ANN401 - as above
    """Report what is wrong with a command line as all other errors."""
    with cli_errors():
        try:
            yield
        except typer.TyperException as error:
            raise _in_own_words(error, ctx) from error
        except UsageError as error:
            error.hint = "\n".join(filter(None, (error.hint, ctx.meta.get(_MEANT))))
            raise


def _in_own_words(error: typer.TyperException, ctx: Any) -> UsageError:  # noqa: ANN401 - as above
    help_command = f"See `{ctx.command_path} --help`."
    option, nearest = (getattr(error, name, None) for name in ("option_name", "possibilities"))
    message, hint = error.format_message(), help_command
    if hasattr(error, "possibilities"):
        message = f'Unknown option "{excerpt(option)}".'
        hint = f"Did you mean {' or '.join(nearest)}?" if nearest else help_command
    return UsageError(message, "\n".join(filter(None, (hint, ctx.meta.get(_MEANT)))))


def _pasted(*words: str) -> str:
    """Return a command line to paste into a shell."""
    return excerpt(shlex.join(["sheepgen", *words]), 500)


def _joined(args: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return ``args`` with the prompt's words joined into one, if adjacent; else the prompt alone.

    Searched from the right, because equal values of options may come before the words, but not
    after them.
    """
    for start in range(len(args) - len(words), -1, -1):
        end = start + len(words)
        if list(args[start:end]) == list(words):
            return [*args[:start], " ".join(words), *args[end:]]
    return [" ".join(words)]


def _is_slip_of(word: str, name: str) -> bool:
    """Return whether a letter of ``name`` is missing, added, or swapped with the next.

    In a long name a letter may also be wrong. In a short one that makes another word: sweep,
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
