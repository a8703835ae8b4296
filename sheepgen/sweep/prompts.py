"""The prompts of a sweep: a word replaced by others, a file of lines."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.prompt_template import distinct_prompts
from sheepgen.sanitize import byte_size, excerpt
from sheepgen.sweep.ranges import parse_words
from sheepgen.untrusted_file import expand_home, open_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["read_prompt_file", "read_prompt_lines", "replace_word"]

_MAX_FILE_BYTES = 64_000_000


def replace_word(prompts: Sequence[str], words: str) -> tuple[str, ...]:
    """Return the prompts with a word replaced, like AUTOMATIC1111's "Prompt S/R".

    Args:
        prompts: What to search.
        words: As typed: ``sheep,goat,cow``. The first is searched for, in capitals and small
            letters as typed, and each of them is put in its place in turn.

    Returns:
        All variants of the first prompt, then those of the next; a prompt without the word is
        there once.

    Raises:
        UsageError: If no prompt has the word, or there are too many prompts.
    """
    variants = parse_words("search and replace", words)
    searched = variants[0]
    if not any(searched in prompt for prompt in prompts):
        raise UsageError(
            f'Nothing to replace: "{excerpt(searched)}" is not in the prompt.',
            "The first word is searched for and replaced by each of the others: sheep,goat,cow.",
        )
    return distinct_prompts(
        prompt.replace(searched, word) for prompt in prompts for word in variants
    )


def read_prompt_lines(text: str) -> tuple[str, ...]:
    """Return the prompts of a text, one per line, without blank lines and those that begin with #.

    Args:
        text: The file's text; a byte order mark in front is left out.

    Raises:
        UsageError: If there is no prompt, or there are too many.
    """
    # Not str.splitlines, which also splits at characters that are no line ends in a file.
    lines = map(str.strip, io.StringIO(text.removeprefix("\ufeff"), newline=None))
    prompts = distinct_prompts(line for line in lines if line and not line.startswith("#"))
    if not prompts:
        raise UsageError("No prompts in the file.", "Write one per line.")
    return prompts


def read_prompt_file(path: Path) -> tuple[str, ...]:
    """Return the prompts of a text file, as `read_prompt_lines` does.

    Args:
        path: Of a file or pipe; a leading ``~`` is the home folder.

    Raises:
        UsageError: If it cannot be read, holds no prompt, or holds too many.
    """
    try:
        with open_named(expand_home(str(path))) as file:
            data = file.read(_MAX_FILE_BYTES + 1)
        if len(data) > _MAX_FILE_BYTES:
            raise ValueError(f"more than {byte_size(_MAX_FILE_BYTES)}")
        text = data.decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = "not UTF-8 text"
        raise UsageError(
            f"Cannot read prompts from {excerpt(path, 200)}: {reason}.",
            "Use a UTF-8 text file with one prompt per line.",
        ) from error
    return read_prompt_lines(text)
