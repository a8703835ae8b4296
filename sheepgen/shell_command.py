"""The shell command that generates an image."""

from __future__ import annotations

import shlex
from dataclasses import fields

from sheepgen.fields import FIELDS
from sheepgen.prompt_template import escape_template
from sheepgen.request import TEMPLATES, GenerationRequest
from sheepgen.sanitize import printable

__all__ = ["to_command"]


def to_command(request: GenerationRequest, *, with_seed: bool = True) -> str:
    """Return the shell command that generates the image, ready to paste.

    For a resolved request every option is written out, so that a later change of the model's
    defaults does not matter, and so is what was picked from a template. The one prompt that no
    command line can carry is a lone ``-``, which stands for standard input.

    Args:
        request: Describes the image.
        with_seed: Whether the command includes the seed.
    """
    words: list[str] = []
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
    return " ".join(map(_shell_quote, ["sheepgen", "generate", *words]))


def _shell_quote(word: str) -> str:
    """Quote one word; control characters become escapes, so that showing it is harmless."""
    if printable(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(map(_shell_escape, word)) + "'"


def _shell_escape(letter: str) -> str:
    if printable(letter) == letter and letter not in "\\'":
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())
