"""AUTOMATIC1111's parameters, out of any program's image, as a request: `sheepgen.infotext` back.

The text is a stranger's. It becomes checked fields of a request and nothing else: it names no
model to load, no file and no option of the run. What a request has no field for, or no such value
of, is handed back as text, so that nobody takes one picture for another's settings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError, UsageError
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Callable

    _Reader = Callable[..., GenerationRequest]
    """Puts values of the text into a request; UsageError or ValueError says they do not fit."""

__all__ = ["ForeignRecipe", "read_parameters"]

MAX_CHARACTERS = 500_000

# The quantifiers are possessive: what does not match is given up in one go.
_NEGATIVE = re.compile(r"(?:\A|\n)Negative prompt: ?")
_KEY = re.compile(r'\s*+([^\s,:"][^,:"]*+):\s*+')
_VALUE_ENDS = re.compile(r"\s*+(?=,|\Z)")
_NETWORK_TAG = re.compile(r"<(?:lora|lyco|hypernet):[^<>\n]*+>")

_JSON = json.JSONDecoder()


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignRecipe:
    """What could be read out of another program's parameters.

    Args:
        request: What they ask for; fields that they do not name are left open.
        not_mapped: What they say besides, each as ``Key: value``. With it the picture would be
            another one.
    """

    request: GenerationRequest
    not_mapped: tuple[str, ...]


def read_parameters(text: str, *, model: str = EMBEDDED_MODEL) -> ForeignRecipe:
    """Read AUTOMATIC1111's ``parameters`` text.

    It is the prompt, ``Negative prompt:`` and the negative prompt, and a last line of
    ``Key: value`` pairs, where a value may be quoted as in JSON. Prompts are taken as they stand,
    with their spaces. CFG scale is the guidance scale here: 1 is off in both.

    Args:
        text: From `sheepgen.image_file.read_parameters_text`.
        model: What the request is for; which one the text names is not mapped.

    Raises:
        OutputError: If the text has no prompt or no seed, or is too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise OutputError(f"The parameters have {len(text):,} characters; no program writes that.")
    prompts, _, settings = text.rstrip().rpartition("\n")
    prompt, negative_prompt = (*_NEGATIVE.split(prompts, maxsplit=1), "")[:2]
    pairs = _read_pairs(settings)
    try:
        seed = int(pairs.pop("Seed"))
        request = GenerationRequest(
            prompt=prompt, negative_prompt=negative_prompt, seed=seed, model=model
        )
    except (KeyError, ValueError) as error:
        raise OutputError(
            "The parameters name no seed.", "Their last line would be like: Steps: 20, Seed: 42"
        ) from error
    except UsageError as error:
        raise OutputError(f"The parameters cannot be read: {error.message}") from error
    # The web UI draws noise on the graphics card and does not mention it. That is another noise.
    pairs.setdefault("RNG", "GPU")
    for keys, read in _READERS:
        if pairs.keys() >= set(keys):
            try:
                request = read(request, *(pairs[key] for key in keys))
            except (UsageError, ValueError):
                continue
            for key in keys:
                del pairs[key]
    pairs.pop("Version", None)  # of the program, which changes nothing by itself
    tags = [
        f"{name}: {tag}"
        for name, said in (("Prompt", prompt), ("Negative prompt", negative_prompt))
        for tag in _NETWORK_TAG.findall(said)
    ]
    left = [f"{key}: {value}" for key, value in pairs.items()]
    return ForeignRecipe(request=request, not_mapped=(*left, *tags))


def _read_pairs(line: str) -> dict[str, str]:
    """Take a line of ``Key: value, Key: value`` apart; what is no such pair is passed over."""
    pairs: dict[str, str] = {}
    place = 0
    while place < len(line):
        if key := _KEY.match(line, place):
            pairs[key[1].rstrip()], place = _read_value(line, key.end())
        else:
            place = _next_comma(line, place)
        place += 1
    return pairs


def _read_value(line: str, start: int) -> tuple[str, int]:
    """Return the value that begins at ``start``, and where the comma behind it is."""
    if line.startswith(('"', "{", "["), start):
        try:
            value, end = _JSON.raw_decode(line, start)
        except (ValueError, RecursionError):
            pass
        else:
            if ends := _VALUE_ENDS.match(line, end):
                return value if isinstance(value, str) else line[start:end], ends.end()
    end = _next_comma(line, start)
    return line[start:end].strip(), end


def _next_comma(line: str, start: int) -> int:
    end = line.find(",", start)
    return len(line) if end < 0 else end


def _field(name: str, kind: type[int | float | str]) -> _Reader:
    return lambda request, value: replace(request, **{name: kind(value)})


def _size(request: GenerationRequest, value: str) -> GenerationRequest:
    width, height = value.split("x")
    return replace(request, width=int(width), height=int(height))


def _sampler(request: GenerationRequest, sampler: str, schedule_type: str) -> GenerationRequest:
    automatic = schedule_type == "Automatic"
    return replace(request, scheduler=sampler if automatic else f"{sampler} {schedule_type}")


def _eta(request: GenerationRequest, value: str) -> GenerationRequest:
    """Take the eta of DDIM; the web UI has another for ancestral samplers, by the same name."""
    if request.scheduler is None or not SCHEDULERS[request.scheduler].takes_eta:
        raise ValueError
    return replace(request, eta=float(value))


def _variation(request: GenerationRequest, seed: str, strength: str) -> GenerationRequest:
    return replace(request, variation_seed=int(seed), variation_strength=float(strength))


def _noise(request: GenerationRequest, source: str) -> GenerationRequest:
    if source != "CPU":
        raise ValueError
    return request


_READERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    (("Steps",), _field("num_inference_steps", int)),
    (("CFG scale",), _field("guidance_scale", float)),
    (("Size",), _size),
    (("Sampler", "Schedule type"), _sampler),
    # The name alone: with Karras at its end, as it once was, or where there is no such schedule.
    (("Sampler",), _field("scheduler", str)),
    (("Eta",), _eta),
    (("Eta DDIM",), _eta),
    (("Guidance rescale",), _field("guidance_rescale", float)),
    (("Variation seed", "Variation seed strength"), _variation),
    (("RNG",), _noise),
)
"""Keys that belong together, and what reads their values; the first that can has them."""
