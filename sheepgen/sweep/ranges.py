"""What an option with several values means: ``1-8,42``, ``0.0-1.0:0.25``, ``1-5 [3]``.

Items stand between commas, spaces around them do not matter, and one that comes twice counts
once. An item is a value or a range:

    1-10         every whole number, both ends included; 10-1 goes down
    1-10:2       by steps: 1, 3, 5, 7, 9. Also written 1-10 (+2), and down 10-1:3 or 10-1 (-3)
    1-10 [5]     that many values, evenly spread: 1, 3, 5, 7, 10

The forms with round and square brackets, and that whole numbers are cut rather than rounded in
the latter, are those of AUTOMATIC1111's X/Y/Z plot (``scripts/xyz_grid.py``); unlike there, no
range ever goes past its end. All counting is done in fractions, so that steps of 0.1 lead to
0.3 and not to 0.30000000000000004.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Generic, TypeVar

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_VALUES",
    "parse_integers",
    "parse_loras",
    "parse_numbers",
    "parse_sizes",
    "parse_words",
]

MAX_VALUES = 10_000
"""Most values of one option."""

_T = TypeVar("_T", int, float)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grammar(Generic[_T]):
    """How numbers of one kind are written; ``syntax`` is of one item.

    Its groups are the first value, the last, the step after a colon, the step in brackets, and
    how many values.
    """

    what: str
    example: str
    syntax: re.Pattern[str]
    convert: Callable[[Fraction], _T]


def _range_syntax(number: str) -> re.Pattern[str]:
    step = rf":\s*({number})|\(\s*({number})\s*\)|\[\s*(\d{{1,6}})\s*\]"
    return re.compile(rf"({number})(?:\s*-\s*({number})(?:\s*(?:{step}))?)?", re.ASCII)


# Digits are limited because an exponent or a number without end would take memory without end.
_INTEGERS = _Grammar(
    what="whole number",
    example="1-8,42 or 1-10:2",
    syntax=_range_syntax(r"[+-]?\d{1,40}"),
    convert=int,
)
_NUMBERS = _Grammar(
    what="number",
    example="3,5,7.5 or 0.0-1.0:0.25",
    syntax=_range_syntax(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?"),
    convert=float,
)
_SCALED = re.compile(r"([^,]+?):([-+.\d][^/\\]*)", re.DOTALL)
_SIZE = re.compile(r"(\d{1,6})[xX](\d{1,6})", re.ASCII)


def parse_integers(name: str, text: str) -> tuple[int, ...]:
    """Return the whole numbers in an option's text.

    Args:
        name: The option as the user knows it, for errors.
        text: As typed: ``1-8,42``.

    Returns:
        1 to `MAX_VALUES` distinct values in the order in which they were written.

    Raises:
        UsageError: If an item is neither a number nor a range, or there are too many values.
    """
    return _parse(name, text, _INTEGERS)


def parse_numbers(name: str, text: str) -> tuple[float, ...]:
    """Return the numbers in an option's text, as `parse_integers` does.

    A range whose ends have a point needs a step or a count: ``0.0-1.0`` says neither.
    """
    return _parse(name, text, _NUMBERS)


def parse_words(name: str, text: str) -> tuple[str, ...]:
    """Return the words in an option's text: ``ddim, DPM++ 2M Karras``.

    A word that holds a comma stands in double quotes, as in a CSV file.

    Raises:
        UsageError: If a word is empty, quotes do not match, or there are too many words.
    """
    try:
        row = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise _wrong(name, text, "has unmatched quotes", '"one, two",three') from error
    words = dict.fromkeys(map(str.strip, row or [""]))
    if "" in words:
        raise _wrong(name, "", "is not a word", "one,two")
    _check_number(name, text, len(words), "one,two")
    return tuple(words)


def parse_sizes(name: str, text: str) -> tuple[tuple[int, int], ...]:
    """Return the sizes in an option's text, each as width and height in pixels.

    Raises:
        UsageError: If an item is not ``WIDTHxHEIGHT``, or there are too many.
    """
    sizes: dict[tuple[int, int], None] = {}
    for item in map(str.strip, text.split(",")):
        match = _SIZE.fullmatch(item)
        if match is None:
            raise _wrong(name, item, "is not a size", "512x512,512x768")
        sizes[int(match[1]), int(match[2])] = None
    _check_number(name, text, len(sizes), "512x512,512x768")
    return tuple(sizes)


def parse_loras(name: str, text: str) -> tuple[str, ...]:
    """Return what stands for the values of a LoRA, or of another file: ``a.safetensors:0.4,0.8``.

    Returns:
        One path with each of its scales; or, if there are none, each of the paths.

    Raises:
        UsageError: As `parse_numbers` and `parse_words`.
    """
    if not text:
        return ("",)
    if match := _SCALED.fullmatch(text):
        return tuple(f"{match[1]}:{scale:.6f}" for scale in parse_numbers(name, match[2]))
    return parse_words(name, text)


def _parse(name: str, text: str, grammar: _Grammar[_T]) -> tuple[_T, ...]:
    values: dict[_T, None] = {}
    for item in map(str.strip, text.split(",")):
        match = grammar.syntax.fullmatch(item)
        if match is None:
            raise _wrong(name, item, f"is not a {grammar.what} or a range", grammar.example)
        first, step, count = _progression(name, match, grammar.example)
        _check_number(name, item, count, grammar.example)
        values |= dict.fromkeys(grammar.convert(first + index * step) for index in range(count))
        _check_number(name, text, len(values), grammar.example)
    return tuple(values)


def _progression(name: str, match: re.Match[str], example: str) -> tuple[Fraction, Fraction, int]:
    """Return an item's first value, the step between values and how many there are."""
    start, stop, *steps, count = match.groups()
    first, last = Fraction(start), Fraction(stop or start)
    distance = last - first
    if count is not None:
        if int(count) == 0:
            raise _wrong(name, match[0], "asks for zero values", example)
        return first, distance / max(int(count) - 1, 1), int(count)
    written = steps[0] or steps[1]
    if written is None:
        if stop is not None and "." in match[0]:
            raise UsageError(
                f"{name}: {excerpt(match[0])} needs a step or a count.",
                f"Write {excerpt(match[0])}:0.25, a step, or {excerpt(match[0])} [5], a count.",
            )
        written = "1"
    step = Fraction(written)
    if step == 0 or (written[0] in "+-" and step * distance < 0):
        raise _wrong(name, match[0], "never reaches its end", example)
    step = abs(step) if distance > 0 else -abs(step)
    return first, step, distance // step + 1


def _check_number(name: str, item: str, count: int, example: str) -> None:
    if count > MAX_VALUES:
        why = f"has {count:,} values, at most {MAX_VALUES:,} are allowed"
        raise _wrong(name, item, why, example)


def _wrong(name: str, item: str, why: str, example: str) -> UsageError:
    return UsageError(
        f"{name}: {excerpt(item) or 'an empty value'} {why}.", f"For example: {name} {example}."
    )
