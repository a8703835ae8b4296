"""What was typed or piped in, read into values."""

from __future__ import annotations

import codecs
import sys
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_PROMPT_CHARACTERS, RANDOM_SEED
from sheepgen.request import draw_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "one_prompt",
    "pick_seeds",
    "random_seed_notes",
    "read_prompt",
]

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
    """Return a random seed for each seed that is `RANDOM_SEED`."""
    wanted = (name for name, value in fields.items() if value == RANDOM_SEED)
    return {name: draw_seed() for name in wanted if FIELDS[name].is_seed}


def random_seed_notes(picked: Mapping[str, int]) -> list[str]:
    """Return a sentence for each seed that was picked at random."""
    return [f"Using random {FIELDS[name].label} {seed}." for name, seed in picked.items()]


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
