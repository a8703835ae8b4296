"""Read values from what was typed or piped in."""

from __future__ import annotations

import codecs
import re
import sys
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.fields import MAX_PROMPT_CHARACTERS, RANDOM_SEED
from sheepgen.request import draw_seed
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "one_prompt",
    "pick_seeds",
    "random_seed_notes",
    "read_batch_size",
    "read_prompt",
    "read_size",
]

_SIZE = re.compile(r"(\d{1,6})[xX](\d{1,6})", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_MAX_BYTES = 4 * MAX_PROMPT_CHARACTERS + 1


def one_prompt(argument: str | None, option: str | None) -> str | None:
    """Return the prompt, whichever way it was given.

    Raises:
        UsageError: If it was given both ways.
    """
    if argument is not None and option is not None:
        raise UsageError(
            "The prompt is given twice.", "Leave out --prompt, or the one without an option."
        )
    return argument if option is None else option


def pick_seeds(fields: Mapping[str, object]) -> dict[str, int]:
    """Return a random seed for each of the two seeds that is `RANDOM_SEED`."""
    return {name: draw_seed() for name in ("seed", "variation_seed") if fields[name] == RANDOM_SEED}


def random_seed_notes(picked: Mapping[str, int]) -> list[str]:
    """Return a sentence for each seed that was picked at random."""
    return [f"Using random {name.replace('_', ' ')} {seed}." for name, seed in picked.items()]


def read_prompt(prompt: str | None) -> str:
    """Return the prompt, from standard input if it is ``-``, or left out in a pipe.

    Raises:
        UsageError: If there is none, or standard input is not UTF-8 text.
    """
    if prompt is not None and prompt != "-":
        return prompt
    if sys.stdin is None or (prompt is None and sys.stdin.isatty()):
        raise UsageError("There is no prompt.", "For example: sheepgen 'a red fox in the snow'")
    data = sys.stdin.buffer.read(_MAX_BYTES)
    try:
        # What is too long may be cut in the middle of a character.
        decoder = codecs.getincrementaldecoder("utf-8")()
        return decoder.decode(data, final=len(data) < _MAX_BYTES).strip()
    except UnicodeDecodeError as error:
        raise UsageError("Standard input is not UTF-8 text.", "Convert it first.") from error


def read_size(
    size: str | None, width: int | None, height: int | None
) -> tuple[int | None, int | None]:
    """Return width and height in pixels, whichever way they were given.

    Raises:
        UsageError: If they were given both ways, or the size is not ``WIDTHxHEIGHT``.
    """
    if size is None:
        return width, height
    if width is not None or height is not None:
        raise UsageError("--size sets both sides already.", "Leave out --width and --height.")
    match = _SIZE.fullmatch(size)
    if match is None:
        raise UsageError(f'"{excerpt(size)}" is not a size.', "Write --size 512x768: width first.")
    return int(match[1]), int(match[2])


def read_batch_size(text: str) -> int | None:
    """Return how many images are generated together, None for ``auto``.

    Raises:
        UsageError: If it is neither that word nor a number.
    """
    if text == "auto":
        return None
    if not _COUNT.fullmatch(text):
        raise UsageError(f'--batch-size must be auto or a whole number, got "{excerpt(text)}".')
    return int(text)
