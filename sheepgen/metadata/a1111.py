"""A record as text that others read: AUTOMATIC1111's parameters, and a command to paste.

The parameters follow the grammar that AUTOMATIC1111's web UI parses and most viewers and sites
know (``modules/infotext_utils.py`` there): the prompt, a ``Negative prompt:`` line, and one line
of ``Key: value`` pairs. That grammar has no escape for a prompt that holds such lines itself,
which is why the JSON record travels beside it and is what sheepgen reads back.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import printable
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.request import GenerationRequest

__all__ = ["to_command", "to_parameters"]


def to_parameters(record: ImageRecord) -> str:
    """Return AUTOMATIC1111's ``parameters`` text.

    ``RNG: CPU`` is part of it because readers take noise to be from the GPU where it is missing.
    """
    request, environment = record.request, record.environment
    scheduler = SCHEDULERS[request.scheduler]
    pairs = {
        "Steps": str(request.num_inference_steps),
        "Sampler": scheduler.sampler,
        "Schedule type": scheduler.schedule_type,
        "CFG scale": _number(request.guidance_scale),
        "Seed": str(request.seed),
        "Size": f"{request.width}x{request.height}",
        "Model hash": environment.model_sha256[:10],
        "Model": request.model,
    }
    if request.variation_strength:
        pairs["Variation seed"] = str(request.variation_seed)
        pairs["Variation seed strength"] = _number(request.variation_strength)
    pairs["RNG"] = "CPU"
    if request.eta:
        pairs["Eta"] = _number(request.eta)
    if request.guidance_rescale:
        pairs["Guidance rescale"] = _number(request.guidance_rescale)
    pairs["Version"] = f"sheepgen {environment.sheepgen}"
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(", ".join(f"{key}: {_quote(value)}" for key, value in pairs.items()))
    return "\n".join(lines)


def to_command(request: GenerationRequest, *, with_seed: bool = True) -> str:
    """Return the shell command that makes the image again, ready to paste.

    Of a resolved request every option is spelled out, so that it says the same when a model's
    defaults change; what a request leaves open is left out. The one prompt that no command line
    can carry is a lone ``-``, which stands for standard input.

    Args:
        request: For the image.
        with_seed: Whether its seed is to be the same.
    """
    options: dict[str, str | float | None] = {
        "--negative-prompt": request.negative_prompt or None,
        "--seed": request.seed if with_seed else None,
        "--variation-seed": request.variation_seed,
        "--variation-strength": request.variation_strength or None,
        "--steps": request.num_inference_steps,
        "--guidance": request.guidance_scale,
        "--guidance-rescale": request.guidance_rescale or None,
        "--eta": request.eta or None,
        "--width": request.width,
        "--height": request.height,
        "--scheduler": request.scheduler,
        "--model": request.model if request.model != EMBEDDED_MODEL else None,
    }
    words: list[str] = []
    for name, value in options.items():
        if value is not None:
            words += [name, _number(value) if isinstance(value, float) else str(value)]
    if request.prompt.startswith("-"):
        words += ["--", request.prompt]
    else:
        words.insert(0, request.prompt)
    return " ".join(map(_shell_quote, ["sheepgen", "generate", *words]))


def _number(value: float) -> str:
    """Return the shortest text that reads back as the same number: ``7``, ``7.5``."""
    return repr(float(value)).removesuffix(".0")


def _quote(value: str) -> str:
    """Quote as AUTOMATIC1111 does where the value holds one of the grammar's own characters."""
    return json.dumps(value, ensure_ascii=False) if set(value) & set(',:\n"') else value


def _shell_quote(word: str) -> str:
    """Quote one word; control characters become escapes, so that showing it is harmless."""
    if printable(word) == word:
        return shlex.quote(word)
    return "$'" + "".join(map(_shell_escape, word)) + "'"


def _shell_escape(letter: str) -> str:
    if printable(letter) == letter and letter not in "\\'":
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())
