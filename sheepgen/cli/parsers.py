"""Parsers of options: what was typed, as a value, or refused in the words of all other errors.

Typer hands defaults through them too, as the values that they are.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.options import check_device_options, check_device_present
from sheepgen.output.template import expand_home
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = [
    "batch_size",
    "device",
    "dtype",
    "folder",
    "number",
    "one_of",
    "path",
    "size",
    "text",
    "whole_number",
]

_SIZE = re.compile(r"(\d{1,6})[xX](\d{1,6})", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,100}", re.ASCII)
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


def one_of(option: str, words: Collection[str]) -> Callable[[str], str]:
    """Return a parser of a few words."""

    def parse(typed: str) -> str:
        if typed not in words:
            *most, last = words
            raise UsageError(
                f'{option} must be {", ".join(most)} or {last}, got "{excerpt(typed)}".'
            )
        return typed

    return parse


def text(typed: str) -> str:
    """Return text as it was meant: in UTF-8, also where the locale's encoding has less.

    Python keeps bytes that the encoding does not have as half surrogates.
    """
    try:
        typed.encode()
    except UnicodeEncodeError:
        try:
            return os.fsencode(typed).decode()
        except ValueError:
            pass  # which whoever takes the text refuses
    return typed


def path(typed: str) -> str:
    """Return the path; an empty one, of a shell's variable that is not set, is not this folder."""
    if not typed:
        raise UsageError("A path is empty.", "Give the path of an image.")
    return typed


def folder(typed: str | Path) -> Path:
    """Return a folder's path, with a leading ``~`` as shells expand it."""
    found = Path(expand_home(str(typed)))
    if found.is_file():
        raise UsageError(f"{excerpt(found, 200)} is a file, not a folder.", "Name another one.")
    return found


def device(typed: str) -> str:
    """Return the word, of a device that this machine may have."""
    check_device_options(typed, "auto")
    check_device_present(typed)
    return typed


def dtype(typed: str) -> str:
    """Return the word."""
    check_device_options("auto", typed)
    return typed
