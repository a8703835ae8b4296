"""Read values from what was typed or piped in."""

from __future__ import annotations

import codecs
import re
import sys
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.fields import MAX_PROMPT_CHARACTERS, RANDOM_SEED
from sheepgen.output.template import expand_home
from sheepgen.request import draw_seed
from sheepgen.sanitize import byte_size, excerpt
from sheepgen.sweep.prompts import expand_alternatives, read_prompt_lines, replace_word
from sheepgen.untrusted_file import open_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "one_prompt",
    "pick_seeds",
    "random_seed_notes",
    "read_batch_size",
    "read_prompt",
    "read_prompts",
    "read_size",
]

_SIZE = re.compile(r"(\d{1,6})[xX](\d{1,6})", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_MAX_BYTES = 4 * MAX_PROMPT_CHARACTERS + 1
_MAX_FILE_BYTES = 64_000_000


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


def read_prompts(
    prompt: str | None, prompts_file: Path | None, replacements: Sequence[str]
) -> tuple[str, ...]:
    """Return the prompts of a sweep: those of its argument, then those of its file.

    Args:
        prompt: May hold ``{alternatives}``; ``-`` reads a list from standard input.
        prompts_file: A prompt on each line, which may hold alternatives too.
        replacements: Each a word to search for and others to put in its place.

    Raises:
        UsageError: If there is no prompt, or the file cannot be read.
    """
    lines: list[str] = []
    if prompt == "-":
        lines += read_prompt_lines(read_prompt(prompt))
    elif prompt is not None or prompts_file is None:
        lines.append(read_prompt(prompt))
    if prompts_file is not None:
        lines += read_prompt_lines(_read_text(prompts_file))
    prompts = tuple(dict.fromkeys(each for line in lines for each in expand_alternatives(line)))
    for words in replacements:
        prompts = replace_word(prompts, words)
    return prompts


def _read_text(path: Path) -> str:
    try:
        with open_named(expand_home(str(path))) as file:
            data = file.read(_MAX_FILE_BYTES + 1)
        if len(data) > _MAX_FILE_BYTES:
            raise ValueError(f"more than {byte_size(_MAX_FILE_BYTES)}")
        return data.decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = "not UTF-8 text"
        raise UsageError(
            f"The prompts cannot be read from {excerpt(path, 200)}: {reason}.",
            "Give a text file in UTF-8 with a prompt on each line.",
        ) from error


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
    """Return how many images are made together, None for ``auto``.

    Raises:
        UsageError: If it is neither that word nor a number.
    """
    if text == "auto":
        return None
    if not _COUNT.fullmatch(text):
        raise UsageError(f'--batch-size must be auto or a whole number, got "{excerpt(text)}".')
    return int(text)
