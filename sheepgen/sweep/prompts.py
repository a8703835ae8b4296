"""The prompts of a sweep: a word replaced by others, a file of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.line_file import read_line_file, split_lines
from sheepgen.prompt_template import distinct_prompts
from sheepgen.sanitize import excerpt
from sheepgen.sweep.ranges import parse_words

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
    return _distinct(split_lines(text))


def read_prompt_file(path: Path) -> tuple[str, ...]:
    """Return the prompts of a text file, as `read_prompt_lines` does.

    Args:
        path: Of a file or pipe; a leading ``~`` is the home folder.

    Raises:
        UsageError: If it cannot be read, holds no prompt, or holds too many.
    """
    return _distinct(read_line_file(path, "prompt", max_bytes=_MAX_FILE_BYTES))


def _distinct(lines: Sequence[str]) -> tuple[str, ...]:
    prompts = distinct_prompts(lines)
    if not prompts:
        raise UsageError("The file has no prompts.", "Write one per line.")
    return prompts
