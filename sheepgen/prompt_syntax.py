r"""How a prompt is read: as it is, or with the marks of AUTOMATIC1111's web UI.

    (word)           1.1 times as strong; ((word)) 1.21 times
    (word:1.3)       1.3 times
    [word]           1/1.1 times
    \( \) \[ \] \\   the characters themselves
    BREAK            what follows begins a new chunk of tokens
    <lora:name:0.8>  names a LoRA, and is not part of the text

Brackets within brackets multiply. One that is never closed counts to the end of the prompt, one
that was never opened is text. The rules are those of ``modules/prompt_parser.py`` there, but for
BREAK within brackets, which there is an ordinary word of negative weight and here a break.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "PLAIN",
    "Part",
    "PromptFormat",
    "check_prompt",
    "marks_in",
    "parse_prompt",
    "split_loras",
    "uses_marks",
]

MAX_WEIGHT = 100
_MAX_OPEN = 50

_UP, _DOWN = 1.1, 1 / 1.1

# Each alternative ends where the next begins, so that no text is read twice.
_TOKEN = re.compile(r"\\[\\()\[\]]?|[(\[\])]|:\s*([+-]?[.\d]+)\s*\)|[^\\()\[\]:]+|:")
_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_AND = re.compile(r"\bAND\b")
_EDITING_ENDS = re.compile(r":\s*[+-]?[.\d]+\s*\Z")
_NETWORK = re.compile(r"<(lora|lyco|hypernet):([^<>\n]*+)>")
_STEP = re.compile(r"\\.|[\[\](|){}]", re.DOTALL)
_OPENS = {")": "(", "]": "[", "}": "{"}

_MARKS = {
    "(word:1.3)": re.compile(r"\([^()]*:\s*[+-]?[.\d]+\s*\)"),
    "((word))": re.compile(r"\(\([^()]++\)|\([^()]++\)\)"),
    "[[word]]": re.compile(r"\[\[[^\[\]]++\]|\[[^\[\]]++\]\]"),
    "<lora:name>": re.compile(r"<(?:lora|lyco):[^<>\n]++>"),
    "BREAK": re.compile(r"\bBREAK\b"),
}


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How the prompts of a request are read.

    Args:
        syntax: ``plain`` or ``a1111``.
        long_prompt: ``cut`` or ``chunk``: what is done to a prompt that is too long.
    """

    syntax: str = "plain"
    long_prompt: str = "cut"

    @property
    def has_marks(self) -> bool:
        """Whether brackets are weights."""
        return self.syntax == "a1111"

    @property
    def in_chunks(self) -> bool:
        """Whether a prompt is read whole, however long it is; with marks it always is."""
        return self.has_marks or self.long_prompt == "chunk"


PLAIN = PromptFormat()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a prompt that has one weight.

    Args:
        text: Without marks.
        weight: 1 for as it is.
        offsets: Where each of its characters is in the prompt as it was typed.
    """

    text: str
    weight: float
    offsets: tuple[int, ...]


@dataclass(slots=True)
class _Piece:
    text: str
    start: int
    weight: float = 1.0


def parse_prompt(text: str) -> tuple[tuple[Part, ...], ...]:
    """Read a prompt with marks.

    Args:
        text: As typed, of any content.

    Returns:
        What stands between breaks, at least one section; each may be empty. Neighbouring
        parts of a section differ in weight.

    Raises:
        UsageError: If a weight is not a number or beyond `MAX_WEIGHT`, or more than 50 brackets
            are open at once.
    """
    sections: list[list[_Piece]] = [[]]
    pieces: list[_Piece] = []  # of all sections
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def add(word: str, start: int) -> None:
        if word:
            sections[-1].append(_Piece(word, start))
            pieces.append(sections[-1][-1])

    def multiply(start: int, factor: float) -> None:
        for piece in pieces[start:]:
            piece.weight *= factor

    for match in _TOKEN.finditer(text):
        mark, number, start = match[0], match[1], match.start()
        if mark[0] == "\\":
            add(mark[1:], start + 1)
        elif mark in opened:
            opened[mark].append(len(pieces))
            if len(opened[mark]) > _MAX_OPEN:
                raise UsageError(
                    f"More than {_MAX_OPEN} brackets are open at once.", "Close some of them."
                )
        elif number is not None and opened["("]:
            multiply(opened["("].pop(), _weight(number))
        elif mark == ")" and opened["("]:
            multiply(opened["("].pop(), _UP)
        elif mark == "]" and opened["["]:
            multiply(opened["["].pop(), _DOWN)
        else:
            end = 0
            for found in _BREAK.finditer(mark):
                add(mark[end : found.start()], start + end)
                sections.append([])
                end = found.end()
            add(mark[end:], start + end)
    for bracket, factor in (("(", _UP), ("[", _DOWN)):
        for place in opened[bracket]:
            multiply(place, factor)
    for piece in pieces:
        _check_weight(piece.weight)
    return tuple(tuple(_merged(section)) for section in sections)


def _merged(pieces: Iterable[_Piece]) -> Iterable[Part]:
    for weight, run in groupby(pieces, key=lambda piece: piece.weight):
        alike = [*run]
        ranges = (range(piece.start, piece.start + len(piece.text)) for piece in alike)
        yield Part(
            "".join(piece.text for piece in alike), weight, tuple(chain.from_iterable(ranges))
        )


def _weight(number: str) -> float:
    try:
        return float(number)
    except ValueError as error:
        raise UsageError(
            f'"{excerpt(number)}" is not a weight.', "Write a number, as in (word:1.3)."
        ) from error


def _check_weight(weight: float) -> None:
    if not abs(weight) <= MAX_WEIGHT:
        raise UsageError(
            f"The weight of a word must be between -{MAX_WEIGHT} and {MAX_WEIGHT}, got {weight:g}."
        )


def split_loras(text: str) -> tuple[str, tuple[tuple[str, float], ...]]:
    """Take the names of LoRAs out of a prompt with marks.

    Args:
        text: As typed.

    Returns:
        The text without ``<lora:name:scale>`` (and ``<lyco:…>``, which means the same), and each
        name with its scale, 1 if there is none. A text without them is returned as it is.

    Raises:
        UsageError: If a name is empty, a scale is not a number, or there is more than one, for
            the text encoder apart.
    """
    found = [match for match in _NETWORK.finditer(text) if match[1] != "hypernet"]
    loras = tuple(_named_lora(match[0], match[2]) for match in found)
    if not loras:
        return text, ()
    without = _NETWORK.sub(lambda match: match[0] if match[1] == "hypernet" else "", text)
    return without.strip(), loras


def _named_lora(tag: str, arguments: str) -> tuple[str, float]:
    name, *scales = (each.strip() for each in arguments.split(":"))
    try:
        (scale,) = map(float, scales or ["1"])
    except ValueError:
        scale = math.nan
    if not name or not math.isfinite(scale):
        raise UsageError(f"{excerpt(tag)} does not name a LoRA.", "Write <lora:name:0.8>.")
    return name, scale


def check_prompt(label: str, text: str) -> None:
    """Check that all marks of a prompt are ones that are supported.

    Args:
        label: What the text is called: ``prompt``.
        text: As typed.

    Raises:
        UsageError: If a mark is not supported, a weight is wrong, or it still names LoRAs.
    """
    text, loras = split_loras(text)
    if loras:
        names = ", ".join(first_of([excerpt(name) for name, _ in loras], 3))
        raise UsageError(
            f"The {label} names {'LoRAs' if len(loras) > 1 else 'a LoRA'}, {names}, without a "
            "file.",
            f"Remove it from the {label}, and give the file with --lora PATH:{loras[0][1]:g}.",
        )
    for name, found, hint in (
        ("a hypernetwork", _NETWORK.search(text), "Leave it out."),
        ("AND between prompts", _AND.search(text), 'Write "and" in lower case.'),
        (
            "prompt editing",
            _edited(text),
            r"Leave it out, or write \[ and \] for literal brackets.",
        ),
    ):
        if found:
            raise UsageError(
                f"The {label} has {name}, which is not supported: {excerpt(found[0], 60)}", hint
            )
    parse_prompt(text)


def _edited(text: str) -> tuple[str] | None:
    """Return the first ``[from:to:when]``, ``[to:when]`` or ``[a|b]``, or None."""
    opened: list[tuple[str, int]] = []
    alternating: set[int] = set()
    for step in _STEP.finditer(text):
        mark, place = step[0], step.start()
        if mark in "([{":  # braces are of templates, and what is in them is not alternating
            opened.append((mark, place))
        elif mark == "|" and opened and opened[-1][0] == "[":
            alternating.add(opened[-1][1])
        elif mark in _OPENS and opened and opened[-1][0] == _OPENS[mark]:
            start = opened.pop()[1]
            inside = text[max(start + 1, place - 60) : place]
            if mark == "]" and (start in alternating or _EDITING_ENDS.search(inside)):
                return (text[start : place + 1],)
    return None


def uses_marks(text: str) -> bool:
    """Return whether a prompt is another one if its marks are read."""
    try:
        (only,) = parse_prompt(text)
    except (UsageError, ValueError):
        return True
    is_plain = "".join(part.text for part in only) == text and all(
        part.weight == 1 for part in only
    )
    return not is_plain or bool(_NETWORK.search(text) or _AND.search(text))


def marks_in(text: str) -> str:
    """Return what a prompt has that looks like a mark, in general form; "" for nothing."""
    return next((form for form, pattern in _MARKS.items() if pattern.search(text)), "")
