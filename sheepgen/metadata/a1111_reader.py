"""AUTOMATIC1111's parameters, out of any program's image: `sheepgen.metadata.a1111` back.

In the schoolbook form they are the prompt, ``Negative prompt:`` and the negative prompt, and a last
line of ``Key: value`` pairs, where a value may be quoted as in JSON. Prompts are taken as they
stand, with their spaces. What is found besides:

    values with line breaks    the pairs go on after them
    more lines after the last  each a key and a value (``Template:`` of a wildcard extension)
    all on one line            with blanks or dots where the line breaks were
    CRLF                       as if it were LF

CFG scale is the guidance scale here: 1 is off in both.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError, UsageError
from sheepgen.metadata.parsed_parameters import ParametersDraft
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sheepgen.metadata.parsed_parameters import ParsedParameters

    _Reader = Callable[..., None]
    """Puts values of the text into a draft; UsageError or ValueError says they do not fit."""

__all__ = ["looks_like_parameters", "read_parameters"]

MAX_CHARACTERS = 500_000

# The quantifiers are possessive: what does not match is given up in one go.
_NEGATIVE = re.compile(r"(?:\A|\n)Negative prompt: ?")
_NEGATIVE_WITHIN = re.compile(r"(?:\A|[\s.])Negative prompt: ?")
_SETTINGS = re.compile(r"(?:\A|(?<=[\s,.]))(?:Steps: \d++,|Seed: [-\[\d])")
_STARTS_WITH_KEY = re.compile(
    r"(?:Steps|Seed|Sampler|Schedule type|CFG scale|Size|Model|Model hash|RNG|Version): "
)
_LINE_WITH_KEY = re.compile(r"\n(?=[A-Z][\w ./-]{0,40}+: )")
_KEY = re.compile(r'\s*+([^\s,:"][^,:"]*+):\s*+')
_VALUE_ENDS = re.compile(r"\s*+(?=,|\Z)")
_OURS = re.compile(r'Version: "?+sheepgen ')
_NETWORK_TAG = re.compile(r"<(?:lora|lyco|hypernet):[^<>\n]*+>")

_JSON = json.JSONDecoder()


def looks_like_parameters(text: str) -> bool:
    """Say whether a text of no certain origin holds parameters and not somebody's words."""
    return len(text) <= MAX_CHARACTERS and _SETTINGS.search(text) is not None


def read_parameters(text: str, *, program: str | None = None) -> ParsedParameters:
    """Read AUTOMATIC1111's ``parameters`` text, whatever there is of it.

    Args:
        text: From an image.
        program: What made the image, if something else said so.

    Raises:
        OutputError: If the text or its prompt is too long, or no prompt at all.
    """
    if len(text) > MAX_CHARACTERS:
        raise OutputError(
            f"The parameters have {len(text):,} characters, too many to be any.",
            f"At most {MAX_CHARACTERS:,} are read.",
        )
    draft = ParametersDraft(program=program, source=text)
    # Our own text is taken as it stands: there a carriage return is the prompt's.
    if "\r\n" in text and not _OURS.search(text):
        text = text.replace("\r\n", "\n")
    prompt, negative_prompt, settings = _split(text.rstrip())
    draft.take_text("prompt", prompt)
    draft.take_text("negative_prompt", negative_prompt)
    pairs = _read_settings(settings)
    if settings:
        # The web UI draws noise on the graphics card and does not mention it: another noise.
        pairs.setdefault("RNG", "GPU")
    for keys, read in _READERS:
        if pairs.keys() >= set(keys):
            try:
                read(draft, *(pairs[key] for key in keys))
            except (UsageError, ValueError):
                continue
            for key in keys:
                del pairs[key]
    version = pairs.pop("Version", None)  # of the program, which changes nothing by itself
    if draft.program is None and version is not None and version[:1].isalpha():
        name = version.partition(" ")[0]
        draft.program = name if name.isalpha() else None
    for key, value in pairs.items():
        draft.leave(key, value)
    for name, said in (("Prompt", prompt), ("Negative prompt", negative_prompt)):
        for tag in _NETWORK_TAG.findall(said):
            draft.leave(name, tag)
    return draft.finish()


def _split(text: str) -> tuple[str, str, str]:
    """Return the prompt, the negative prompt and the settings."""
    start = _last_settings_line(text)
    if start is None:
        return (*_split_prompts(text, _NEGATIVE), "")
    found = _SETTINGS.search(text, start)
    if found is not None and found.start() > start and not _STARTS_WITH_KEY.match(text, start):
        # The settings begin within the line, so the line breaks are gone.
        prompts, settings = text[: found.start()].rstrip(" \n"), text[found.start() :]
        prompt, negative_prompt = _split_prompts(prompts, _NEGATIVE_WITHIN)
        return prompt.rstrip(), negative_prompt.removesuffix(".").rstrip(), settings
    return (*_split_prompts(text[: max(0, start - 1)], _NEGATIVE), text[start:])


def _last_settings_line(text: str) -> int | None:
    """Return where the last line begins that holds settings."""
    end = len(text)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        if _SETTINGS.search(text[start:end]):
            return start
        end = start - 1
    return None


def _split_prompts(text: str, negative: re.Pattern[str]) -> tuple[str, str]:
    prompt, *rest = negative.split(text, maxsplit=1)
    return prompt, rest[0] if rest else ""


def _read_settings(text: str) -> dict[str, str]:
    """Read pairs, and after them lines of which each is a key and a value."""
    first, *more = _LINE_WITH_KEY.split(text)
    pairs = _read_pairs(first)
    for line in more:
        key, _, value = line.partition(": ")
        pairs.setdefault(key, value.strip())
    return pairs


def _read_pairs(line: str) -> dict[str, str]:
    """Take ``Key: value, Key: value`` apart; what is no such pair is passed over."""
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
    """Return the value that begins at ``start``, and where the comma after it is."""
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
    return lambda draft, value: draft.take(**{name: kind(value)})


def _size(draft: ParametersDraft, value: str) -> None:
    width, height = value.split("x")
    draft.take(width=int(width), height=int(height))


def _sampler(draft: ParametersDraft, sampler: str, schedule_type: str) -> None:
    automatic = schedule_type == "Automatic"
    draft.take(scheduler=sampler if automatic else f"{sampler} {schedule_type}")


def _eta(draft: ParametersDraft, value: str) -> None:
    """Take the eta of DDIM; the web UI has another for ancestral samplers, by the same name."""
    scheduler = draft.settings.get("scheduler")
    if scheduler is None or not SCHEDULERS[scheduler].takes_eta:
        raise ValueError
    draft.take(eta=float(value))


def _variation(draft: ParametersDraft, seed: str, strength: str) -> None:
    draft.take(variation_seed=int(seed), variation_strength=float(strength))


def _noise(_: ParametersDraft, source: str) -> None:
    if source != "CPU":
        raise ValueError


_READERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    (("Seed",), _field("seed", int)),
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
