"""Untrusted text made safe to show.

Prompts, model configs, image metadata and other programs' messages may hold terminal escapes
(CWE-150), or marks that turn the reading direction and so disguise what is written. Text passes
through here at the point where it enters a message or a console.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["byte_size", "excerpt", "first_of", "joined", "plural", "printable"]

_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_DIRECTIONS = dict.fromkeys(
    (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_UNSAFE = _CONTROLS | _DIRECTIONS | _SURROGATES


def printable(text: str) -> str:
    """Return ``text`` without control characters and bidirectional marks.

    New lines and tabs stay. Half surrogate pairs, which no terminal encoding can write, become
    replacement characters.
    """
    return text.translate(_UNSAFE)


def excerpt(value: object, limit: int = 60) -> str:
    """Return ``value`` as one printable line of at most ``limit`` characters."""
    line = " ".join(printable(str(value)).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def first_of(texts: Sequence[str], limit: int = 20) -> list[str]:
    """Return at most ``limit`` texts; if there are more, one that says how many follows them."""
    rest = len(texts) - limit
    return list(texts) if rest <= 0 else [*texts[:limit], f"and {rest:,} more"]


def joined(texts: Sequence[str], word: str) -> str:
    """Return texts as a sentence lists them: ``a``, ``a and b``, ``a, b and c``."""
    return f" {word} ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def plural(number: int, thing: str) -> str:
    """Return a number of things as people say it: ``1 step``, ``8,000 steps``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def byte_size(size: int) -> str:
    """Return a number of bytes as people say it: ``812 B``, ``3.4 MB``, ``2.1 GB``."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
