"""Parse what was typed or piped in. Errors look like all others, unlike Typer's.

Typer passes defaults through the parsers too, as the values that they are.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_PROMPT_CHARACTERS, RANDOM_SEED
from sheepgen.options import check_device_options, check_device_present
from sheepgen.request import draw_seed
from sheepgen.sanitize import excerpt
from sheepgen.shard import Shard, parse_shard
from sheepgen.untrusted_file import expand_home

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = [
    "batch_size",
    "device",
    "dtype",
    "duration",
    "folder",
    "number",
    "one_of",
    "one_prompt",
    "path",
    "pick_seeds",
    "random_seed_notes",
    "read_prompt",
    "shard",
    "size",
    "text",
    "whole_number",
    "with_random_seeds",
]

_MAX_BYTES = 4 * MAX_PROMPT_CHARACTERS + 1
_SIZE = re.compile(r"(\d{1,6})[xX](\d{1,6})", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,100}", re.ASCII)
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smh])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,3})?|nan|inf", re.ASCII)


def whole_number(
    option: str, low: int | None = None, high: int | None = None
) -> Callable[[str | int], int]:
    """Return a parser of whole numbers from ``low`` to ``high``."""

    def parse(typed: str | int) -> int:
        if isinstance(typed, int):
            return typed
        if not _INTEGER.fullmatch(typed):
            raise UsageError(f'{option} must be a whole number, got "{excerpt(typed)}".')
        value = int(typed)
        if (low is not None and value < low) or (high is not None and value > high):
            allowed = f"at least {low}" if high is None else f"between {low} and {high:,}"
            raise UsageError(f"{option} must be {allowed}, got {value}.")
        return value

    return parse


def number(option: str) -> Callable[[str | float], float]:
    """Return a parser of numbers; the request knows their ranges."""

    def parse(typed: str | float) -> float:
        if isinstance(typed, str) and not _NUMBER.fullmatch(typed):
            raise UsageError(f'{option} must be a number, got "{excerpt(typed)}".')
        return float(typed)

    return parse


def duration(option: str, *, none: str) -> Callable[[str | float | None], float | None]:
    """Return a parser of times, in seconds; the word ``none`` is None."""

    def parse(typed: str | float | None) -> float | None:
        if typed is None or isinstance(typed, float):
            return typed
        if typed == none:
            return None
        found = _DURATION.fullmatch(typed)
        if not found:
            raise UsageError(
                f'{option} must be a time as in 90s, 10m or 2h, or {none}; got "{excerpt(typed)}".'
            )
        return float(found[1]) * _UNITS[found[2]]

    return parse


def size(typed: str) -> tuple[int, int]:
    """Return width and height in pixels."""
    match = _SIZE.fullmatch(typed)
    if match is None:
        raise UsageError(
            f'"{excerpt(typed)}" is not a size.', "Write --size 512x768: width, then height."
        )
    return int(match[1]), int(match[2])


def batch_size(typed: str | int) -> int | None:
    """Return how many images are generated together, None for ``auto``."""
    if typed == "auto":
        return None
    if not _COUNT.fullmatch(str(typed)):
        raise UsageError(f'--batch-size must be auto or a whole number, got "{excerpt(typed)}".')
    return int(typed)


def shard(typed: str | Shard) -> Shard:
    """Return a share of a plan, ``auto`` from what SLURM sets."""
    return typed if isinstance(typed, Shard) else parse_shard(typed, os.environ)


def one_of(option: str, words: Collection[str]) -> Callable[[str], str]:
    """Return a parser of one of ``words``."""

    def parse(typed: str) -> str:
        if typed not in words:
            *most, last = words
            raise UsageError(
                f'{option} must be {", ".join(most)} or {last}, got "{excerpt(typed)}".'
            )
        return typed

    return parse


def text(typed: str) -> str:
    """Return text as it was meant: in UTF-8, even if the locale's encoding has fewer characters.

    Python keeps bytes that the encoding lacks as half surrogates.
    """
    try:
        typed.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(typed).decode()
        except ValueError:
            pass  # rejected where the text is used
    return typed


def path(typed: str) -> str:
    """Return the path, unless it is empty, as from an unset shell variable."""
    if not typed:
        raise UsageError("A path must not be empty.", "Give the path of an image.")
    return typed


def folder(typed: str | Path) -> Path:
    """Return a folder's path, with a leading ``~`` as shells expand it."""
    found = Path(expand_home(str(typed)))
    if found.is_file():
        raise UsageError(f"{excerpt(found, 200)} is a file, not a folder.", "Choose another one.")
    return found


def device(typed: str) -> str:
    """Return a device that this machine may have."""
    check_device_options(typed, "auto")
    check_device_present(typed)
    return typed


def dtype(typed: str) -> str:
    """Return a dtype."""
    check_device_options("auto", typed)
    return typed


def one_prompt(argument: str | None, option: str | None) -> str | None:
    """Return the prompt, from the argument or the option.

    Raises:
        UsageError: If both were given.
    """
    if argument is not None and option is not None:
        raise UsageError("The prompt was given twice.", "Use either PROMPT or --prompt.")
    return argument if option is None else option


def with_random_seeds(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with `RANDOM_SEED` for each seed that is needed and was not given."""
    varied = fields["variation_strength"] > 0
    needed = ("seed", "variation_seed") if varied else ("seed",)
    return {**fields, **{name: RANDOM_SEED for name in needed if fields[name] is None}}


def pick_seeds(fields: Mapping[str, object]) -> dict[str, int]:
    """Return a random seed for each seed that is `RANDOM_SEED`."""
    wanted = (name for name, value in fields.items() if value == RANDOM_SEED)
    return {name: draw_seed() for name in wanted if FIELDS[name].is_seed}


def random_seed_notes(picked: Mapping[str, int]) -> list[str]:
    """Return a sentence for each seed that was picked at random."""
    return [f"Using random {FIELDS[name].label} {seed}." for name, seed in picked.items()]


def read_prompt(prompt: str | None) -> str:
    """Return the prompt; read it from standard input if it is ``-``, or omitted in a pipe.

    Raises:
        UsageError: If there is no prompt, or standard input is not UTF-8 text.
    """
    if prompt is not None and prompt != "-":
        return prompt
    if sys.stdin is None or (prompt is None and sys.stdin.isatty()):
        raise UsageError("No prompt given.", "For example: sheepgen 'a red fox in the snow'")
    data = sys.stdin.buffer.read(_MAX_BYTES)
    try:
        # A text that is too long may be cut in the middle of a character.
        decoder = codecs.getincrementaldecoder("utf-8")()
        return decoder.decode(data, final=len(data) < _MAX_BYTES).strip()
    except UnicodeDecodeError as error:
        raise UsageError("Standard input is not UTF-8 text.", "Convert it first.") from error
