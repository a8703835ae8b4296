"""What was typed or piped in, read into values."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.request import MAX_PROMPT_CHARACTERS
from sheepgen.sinks.files import FRAME_CHOICES, OutputLayout
from sheepgen.sinks.naming import parse_output
from sheepgen.sweep.prompts import expand_alternatives, read_prompt_lines, replace_word
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["read_batch_size", "read_layout", "read_prompt", "read_prompts", "read_size"]

_SIZE = re.compile(r"(\d{1,6})[xX](\d{1,6})", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_MAX_BYTES = 4 * MAX_PROMPT_CHARACTERS + 1


def read_prompt(prompt: str | None) -> str:
    """Return the prompt, from standard input where it is ``-`` or left out behind a pipe.

    Raises:
        UsageError: If there is none, or what comes in is no UTF-8 text.
    """
    if prompt is not None and prompt != "-":
        return prompt
    if sys.stdin is None or (prompt is None and sys.stdin.isatty()):
        raise UsageError("There is no prompt.", "For example: sheepgen 'a red fox in the snow'")
    try:
        return sys.stdin.buffer.read(_MAX_BYTES).decode().strip()
    except UnicodeDecodeError as error:
        raise UsageError("Standard input is no UTF-8 text.", "Convert it first.") from error


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
        try:
            lines += read_prompt_lines(prompts_file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"The prompts cannot be read from {excerpt(prompts_file, 200)}.",
                "Give a text file in UTF-8 with a prompt on each line.",
            ) from error
    prompts = tuple(dict.fromkeys(each for line in lines for each in expand_alternatives(line)))
    for words in replacements:
        prompts = replace_word(prompts, words)
    return prompts


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
        raise UsageError("--size says both sides already.", "Leave out --width and --height.")
    match = _SIZE.fullmatch(size)
    if match is None:
        raise UsageError(f"{excerpt(size)} is no size.", "Write --size 512x768: width first.")
    return int(match[1]), int(match[2])


def read_batch_size(text: str) -> int | None:
    """Return how many images are made together, None for ``auto``.

    Raises:
        UsageError: If it is neither that word nor a number.
    """
    if text == "auto":
        return None
    if not _COUNT.fullmatch(text):
        raise UsageError(f"{excerpt(text)} is no batch size.", "It is auto, or a number from 1.")
    return int(text)


def read_layout(output: str | None, *, frames: str, several: bool, overwrite: bool) -> OutputLayout:
    """Return where files go, and which.

    Args:
        output: As typed, or None for the default.
        frames: A key of `FRAME_CHOICES`.
        several: Whether more than one image is made.
        overwrite: Whether what has the same name is replaced.

    Raises:
        UsageError: If the output names no file or folder.
    """
    template = parse_output(output, several=several)
    return OutputLayout(template=template, frames=FRAME_CHOICES[frames], overwrite=overwrite)
