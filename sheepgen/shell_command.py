"""The shell command that generates an image, or does what was typed with other options."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.fields import FIELDS
from sheepgen.prompt_template import escape_template
from sheepgen.request import TEMPLATES, GenerationRequest
from sheepgen.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["TypedCommand", "to_command"]

_END_OF_OPTIONS = "--"

_SIDES = ("--width", "--height")
"""What ``--size`` sets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedCommand:
    """A command line as it was typed.

    Args:
        name: Of the command, as in ``sweep``.
        words: All words after that, each option together with its value, and in front of them the
            option's own name: ``("--size", ("--size=64x64",))``. It is ``--`` for the words from
            that one on, and empty for others that are not an option.
        has_one_size: Whether all of its images are of one size, which its options set.
    """

    name: str
    words: tuple[tuple[str, tuple[str, ...]], ...]
    has_one_size: bool = True

    def can_change(self, options: Mapping[str, str]) -> bool:
        """Return whether options can be changed so for all of its images at once."""
        return self.has_one_size or "--size" not in options

    def changed(self, options: Mapping[str, str]) -> str:
        """Return the command with other values of options, ready to paste into a shell.

        Args:
            options: By their own names.
        """
        replaced = {*options, *(_SIDES if "--size" in options else ())}
        kept = [(name, words) for name, words in self.words if name not in replaced]
        before = [word for name, words in kept if name != _END_OF_OPTIONS for word in words]
        after = [word for name, words in kept if name == _END_OF_OPTIONS for word in words]
        return _shell_line(["sheepgen", self.name, *before, *_words(options), *after])


def to_command(
    request: GenerationRequest,
    *,
    with_seed: bool = True,
    options: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the shell command that generates the image, ready to paste.

    For a resolved request every option is written out, so that a later change of the model's
    defaults does not matter, and so is what was picked from a template. The one prompt that no
    command line can carry is a lone ``-``, which stands for standard input.

    Args:
        request: Describes the image.
        with_seed: Whether the command includes the seed.
        options: Further ones, by their names.
    """
    words: list[str] = _words(options)
    for each in fields(GenerationRequest):
        value = getattr(request, each.name)
        left_out = each.name == "prompt" or (each.name == "seed" and not with_seed)
        if value != each.default and not left_out and each.name in FIELDS:
            text = repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
            text = escape_template(text) if each.name in TEMPLATES else text
            words += [FIELDS[each.name].option, text]
    prompt = "" if request.blend else escape_template(request.prompt)
    if prompt.startswith("-"):
        words += ["--", prompt]
    elif prompt:
        words.insert(0, prompt)
    return _shell_line(["sheepgen", "generate", *words])


def _words(options: Mapping[str, str]) -> list[str]:
    return [word for option in options.items() for word in option]


def _shell_line(words: Iterable[str]) -> str:
    return " ".join(map(_shell_quote, words))


def _shell_quote(word: str) -> str:
    """Quote one word; control characters become escapes, so that showing it is harmless."""
    if printable(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(map(_shell_escape, word)) + "'"


def _shell_escape(letter: str) -> str:
    if printable(letter) == letter and letter not in "\\'":
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())
