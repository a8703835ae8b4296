r"""The grammar of prompts that stand for several: ``a {red|blue} fox in a __place__``.

    {red|blue}       one of the alternatives, which may be empty and may hold groups themselves
    __place__        a line of a file, see `sheepgen.wildcards`
    \{ \| \} \__     the characters themselves; so are braces with no bar between them, and the
                     underscores where no wildcards are given

A sweep generates every alternative (`expand_alternatives`); everywhere else the seed picks one
(`expand_request`). A pick depends on the seed and on the group that is picked from, as it is
written, and on nothing else: not on the rest of the prompt, nor on how many images there are. So
a word more elsewhere changes no pick, and image k of several is what ``--seed s+k`` alone gives.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from sheepgen.errors import UsageError
from sheepgen.fields import MAX_PROMPT_CHARACTERS
from sheepgen.request import TEMPLATES, GenerationRequest
from sheepgen.sanitize import excerpt
from sheepgen.wildcards import NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sheepgen.wildcards import Wildcards

__all__ = [
    "MAX_PROMPTS",
    "describe_picks",
    "distinct_prompts",
    "escape_template",
    "expand_alternatives",
    "expand_request",
    "literal_notes",
]

MAX_PROMPTS = 10_000
"""Most prompts of one sweep."""

_MAX_DEPTH = 10
_MAX_PICKS = 1_000

_R = TypeVar("_R", bound=GenerationRequest)

_PARTS = re.compile(r"\\[{|}]|[{|}]|[^\\{|}]+|\\")
_WILDCARD = re.compile(rf"(\\?)__({NAME})__(?!_)")
_ESCAPED = re.compile(r"\\[{|}]")
_WEIGHT = re.compile(r"\s*(?:\d+(?:\.\d*)?|\.\d+)\s*::")
_SEVERAL = re.compile(r"\s*\d*-?\d*\$\$")


def expand_alternatives(text: str) -> tuple[str, ...]:
    r"""Return every prompt that ``a {sheep|goat} riding a {motorcycle|bicycle}`` stands for.

    The first group changes slowest. Spaces on both sides of where a group begins or ends become
    one. Wildcards stay as they are, also ``\__``.

    Returns:
        1 to `MAX_PROMPTS` distinct prompts, without spaces around them.

    Raises:
        UsageError: If a group is not closed or has weights, or there are too many prompts.
    """
    return distinct_prompts(prompt.strip() for prompt in _expand(text, None))


def expand_request(
    request: _R,
    wildcards: Wildcards | None = None,
    *,
    texts: Collection[str] = TEMPLATES,
    alternatives: bool = True,
) -> _R:
    r"""Return a request with its prompts picked by its seed, and the templates beside them.

    Args:
        request: Its prompts may be templates. One with a template beside it was picked before, and
            those of a blend are none.
        wildcards: Has the lines of ``__name__``, which stays as it is if there are none.
        texts: Fields that are templates.
        alternatives: Whether braces have a meaning; they have none if a sweep has expanded them.

    Raises:
        UsageError: If a group is not closed or has weights, a wildcard has no file, wildcards go in
            circles, or what is picked is blank or too long for a prompt.
    """
    picks = _Picks(request.seed)
    changes: dict[str, Any] = {}
    for name, beside in TEMPLATES.items():
        template, before = getattr(request, name), picks.count
        if name not in texts or getattr(request, beside) is not None:
            continue
        if name == "prompt" and request.blend:  # which it follows from
            continue
        prompt = _pick(template, picks) if alternatives else template
        prompt = _fill(prompt, wildcards, picks, ())
        if picks.count > before:
            changes |= {name: prompt.strip(), beside: template}
        elif prompt != template:  # nothing but escapes
            changes[name] = prompt
    return replace(request, **changes) if changes else request


def escape_template(text: str) -> str:
    """Return the template that stands for a text and nothing else."""
    if ("{" in text and "|" in text) or _ESCAPED.search(text):
        text = re.sub(r"[{|}]", r"\\\g<0>", text)
    return _WILDCARD.sub(r"\\\g<0>", text)


def describe_picks(request: GenerationRequest) -> str:
    """Return on one line what was picked from templates, or "" if nothing was."""
    picked = [] if request.prompt_template is None else [excerpt(request.prompt, 200)]
    if request.negative_prompt_template is not None:
        picked.append(f"negative prompt: {excerpt(request.negative_prompt, 200) or 'none'}")
    return "; ".join(picked)


def literal_notes(texts: Iterable[str]) -> tuple[str, ...]:
    """Return a note for each name that looks like a wildcard, if wildcards are off."""
    names = dict.fromkeys(
        found[2] for text in texts for found in _WILDCARD.finditer(text) if not found[1]
    )
    return tuple(
        f"__{excerpt(name)}__ is taken literally. To pick a line of {excerpt(name)}.txt, name its "
        "folder with --wildcards."
        for name in names
    )


def distinct_prompts(prompts: Iterable[str]) -> tuple[str, ...]:
    """Return each prompt once, in order.

    Raises:
        UsageError: If there are more than `MAX_PROMPTS`.
    """
    distinct: dict[str, None] = {}
    for prompt in prompts:
        distinct[prompt] = None
        if len(distinct) > MAX_PROMPTS:
            raise _too_many()
    return tuple(distinct)


@dataclass(slots=True)
class _Picks:
    """What a seed picks, and how often it has."""

    seed: int
    count: int = 0
    _of: Counter[str] = field(default_factory=Counter)

    def pick(self, written: str, options: Sequence[str]) -> str:
        """Return one of the options of a group or wildcard, which is picked from as it is written.

        SHA-256 of the seed, the text, and how often the same text came before, modulo the number
        of options: the same with every Python, on every machine, for ever. `hash` differs between
        processes, `random.choice` between versions of Python, and a generator that goes on from
        pick to pick would let a new group change all those after it.
        """
        if self.count == _MAX_PICKS:
            raise UsageError(
                f"A prompt needs more than {_MAX_PICKS:,} picks.",
                "Use fewer wildcards inside wildcard files.",
            )
        number = self._of[written]
        self._of[written] += 1
        self.count += 1
        digest = hashlib.sha256(f"{self.seed}/{number}/{written}".encode()).digest()
        return options[int.from_bytes(digest) % len(options)]


def _pick(text: str, picks: _Picks) -> str:
    """Return a text with one alternative of each group."""
    (prompt,) = _expand(text, picks)
    return prompt


def _fill(text: str, wildcards: Wildcards | None, picks: _Picks, within: tuple[str, ...]) -> str:
    """Return a text with a line in the place of each wildcard.

    Args:
        text: Its braces have no meaning.
        wildcards: Where the lines are.
        picks: Picks them.
        within: Wildcards whose lines the text is part of.
    """
    filled, place = "", 0
    for found in _WILDCARD.finditer(text):
        escape, name = found.groups()
        filled, place = _join(filled, text[place : found.start()]), found.end()
        if escape or wildcards is None:
            filled += f"__{name}__"
            continue
        _check_chain((*within, name))
        line = _pick(picks.pick(f"__{name}__", wildcards.lines(name)), picks)
        filled = _join(filled, _fill(line, wildcards, picks, (*within, name)))
        if len(filled) > MAX_PROMPT_CHARACTERS:
            raise UsageError(
                f"With __{excerpt(name)}__ the prompt has more than {MAX_PROMPT_CHARACTERS:,} "
                "characters.",
                "Use shorter lines, or fewer wildcards.",
            )
    return _join(filled, text[place:])


def _check_chain(names: tuple[str, ...]) -> None:
    said = " → ".join(f"__{excerpt(name)}__" for name in names)
    if names[-1] in names[:-1]:
        raise UsageError(
            f"Wildcards refer to each other in a circle: {said}.", "Change one of these files."
        )
    if len(names) > _MAX_DEPTH:
        raise UsageError(
            f"Wildcards are nested more than {_MAX_DEPTH} deep: {said}.",
            "Use fewer levels.",
        )


def _expand(text: str, picks: _Picks | None) -> list[str]:
    """Return all that a text with groups can become, or if there are picks the one picked."""
    # Groups that are open, the text as a whole being the outermost; of each its alternatives,
    # the last one still growing; and of each alternative all that it can become so far.
    groups: list[list[list[str]]] = [[[""]]]
    begins = [0]
    for found in _PARTS.finditer(text):
        part, inside = found[0], len(groups) > 1
        if part == "{":
            groups.append([[""]])
            begins.append(found.start())
        elif part == "|" and inside:
            groups[-1].append([""])
        elif part == "}" and inside:
            alternatives, written = groups.pop(), text[begins.pop() : found.end()]
            if len(alternatives) == 1:
                _extend(groups, [f"{{{content}}}" for content in alternatives[0]])
                continue
            options = list(chain.from_iterable(alternatives))
            _check_options(options, written)
            _extend(groups, options if picks is None else [picks.pick(written, options)])
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
    return groups[0][-1]


def _check_options(options: Sequence[str], written: str) -> None:
    """Refuse what other programs' grammars have besides."""
    if any(map(_WEIGHT.match, options)):
        raise UsageError(
            f"Weights of alternatives are not supported: {excerpt(written)}",
            "Repeat an alternative to make it likelier, as in {red|red|blue}.",
        )
    if _SEVERAL.match(options[0]):
        raise UsageError(
            f"Picking several alternatives is not supported: {excerpt(written)}",
            "Write the group several times.",
        )


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


def _too_many() -> UsageError:
    return UsageError(
        f"The prompt expands to more than {MAX_PROMPTS:,} prompts.",
        "Split them into several sweeps.",
    )
