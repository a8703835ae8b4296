"""The command line as it was typed, for messages that show it with other options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.cli.option_aliases import canonical_option
from sheepgen.shell_command import TypedCommand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import typer

__all__ = ["typed_command"]

_OF_MANY_SIZES = ("batch", "sweep")


def typed_command(context: typer.Context, words: Sequence[str]) -> TypedCommand:
    """Return what was typed.

    Args:
        context: Of the command.
        words: After its name; they have been read without an error.
    """
    name = context.info_name or ""
    options = {
        option: each
        for each in context.command.params
        if each.param_type_name == "option"
        for option in (*each.opts, *each.secondary_opts)
    }
    return TypedCommand(
        name=name, words=tuple(_grouped(words, options)), has_one_size=name not in _OF_MANY_SIZES
    )


def _grouped(
    words: Sequence[str], options: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each option with its value, and each other word, after the option's own name."""
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            yield word, tuple(words[place:])
            return
        name, equals, _ = word.partition("=")
        if word.startswith("--"):
            name = f"--{canonical_option(name.removeprefix('--'))}"
        elif word.startswith("-"):
            name = word[:2]  # its value may follow at once
        option = options.get(name)
        if option is None:
            yield "", (word,)
            place += 1
            continue
        has_value = option.is_flag or bool(equals) or (word[1] != "-" and len(word) > 2)
        taken = words[place : place + (1 if has_value else 2)]
        yield max(option.opts, key=len), tuple(taken)
        place += len(taken)
