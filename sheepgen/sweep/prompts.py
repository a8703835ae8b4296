"""One prompt written as many: alternatives in braces, a word replaced, a file of lines."""

from __future__ import annotations

import io
import re
from itertools import chain
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.sanitize import byte_size, excerpt
from sheepgen.sweep.ranges import parse_words
from sheepgen.untrusted_file import expand_home, open_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "MAX_PROMPTS",
    "expand_alternatives",
    "read_prompt_file",
    "read_prompt_lines",
    "replace_word",
]

MAX_PROMPTS = 10_000
"""Most prompts of one sweep."""

_MAX_FILE_BYTES = 64_000_000

_PARTS = re.compile(r"\\[{|}]|[{|}]|[^\\{|}]+|\\")


def expand_alternatives(text: str) -> tuple[str, ...]:
    r"""Return every prompt that ``a {sheep|goat} riding a {motorcycle|bicycle}`` stands for.

    The first group changes slowest. An alternative may be empty, as in ``a {red|} sheep``, and
    may hold groups itself; spaces on both sides of where a group begins or ends become one.
    ``\{``, ``\|`` and ``\}`` are the characters themselves, and so are braces with no bar
    between them.

    Returns:
        1 to `MAX_PROMPTS` distinct prompts, without spaces around them.

    Raises:
        UsageError: If a group is not closed, or there are too many prompts.
    """
    # Groups that are open, the text as a whole being the outermost; of each its alternatives,
    # the last one still growing; and of each alternative all that it can become so far.
    groups: list[list[list[str]]] = [[[""]]]
    for part in _PARTS.findall(text):
        inside = len(groups) > 1
        if part == "{":
            groups.append([[""]])
        elif part == "|" and inside:
            groups[-1].append([""])
        elif part == "}" and inside:
            alternatives = groups.pop()
            if len(alternatives) > 1:
                _extend(groups, list(chain.from_iterable(alternatives)))
            else:
                _extend(groups, [f"{{{content}}}" for content in alternatives[0]])
        else:
            _extend(groups, [part[-1] if part[0] == "\\" else part])
    while len(groups) > 1:
        alternatives = groups.pop()
        if len(alternatives) > 1:
            raise UsageError(
                f"A group of alternatives is not closed: {excerpt(text)}",
                r"Write a {sheep|goat}, or \{ for the brace itself.",
            )
        _extend(groups, [f"{{{content}" for content in alternatives[0]])
    return _distinct(prompt.strip() for prompt in groups[0][-1])


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
    return _distinct(prompt.replace(searched, word) for prompt in prompts for word in variants)


def read_prompt_lines(text: str) -> tuple[str, ...]:
    """Return the prompts of a text, one per line, without blank lines and those that begin with #.

    Args:
        text: The file's text; a byte order mark in front is left out.

    Raises:
        UsageError: If there is no prompt, or there are too many.
    """
    # Not str.splitlines, which also splits at characters that are no line ends in a file.
    lines = map(str.strip, io.StringIO(text.removeprefix("\ufeff"), newline=None))
    prompts = _distinct(line for line in lines if line and not line.startswith("#"))
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


def _extend(groups: list[list[list[str]]], endings: list[str]) -> None:
    """Let the innermost alternative go on in each of these ways."""
    beginnings = groups[-1][-1]
    if len(beginnings) * len(endings) > MAX_PROMPTS:
        raise _too_many()
    groups[-1][-1] = [_join(head, tail) for head in beginnings for tail in endings]


def _join(head: str, tail: str) -> str:
    if head[-1:].isspace() and tail[:1].isspace():
        return f"{head.rstrip()} {tail.lstrip()}"
    return head + tail


def _distinct(prompts: Iterable[str]) -> tuple[str, ...]:
    distinct: dict[str, None] = {}
    for prompt in prompts:
        distinct[prompt] = None
        if len(distinct) > MAX_PROMPTS:
            raise _too_many()
    return tuple(distinct)


def _too_many() -> UsageError:
    return UsageError(
        f"There are more than {MAX_PROMPTS:,} prompts.", "Split them into several sweeps."
    )
