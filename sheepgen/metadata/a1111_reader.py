"""AUTOMATIC1111's ``parameters`` text, read from any image, whatever program wrote it.

`sheepgen.metadata.a1111` says what the text is. Prompts are taken as they are, with their spaces.
Other programs also write:

    values with line breaks    the pairs go on after them
    more lines after the last  each a key and a value (``Template:`` of a wildcard extension)
    all on one line            with spaces or dots instead of line breaks
    CRLF                       the same as LF
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sheepgen.errors import OutputError, UsageError
from sheepgen.fields import FIELDS
from sheepgen.hires import UPSCALER, parse_hires
from sheepgen.metadata.a1111 import EMPHASIS, TEMPLATE_KEYS
from sheepgen.metadata.added_networks import split_lora_tags
from sheepgen.metadata.other_networks import split_tags
from sheepgen.metadata.parsed_parameters import ParametersDraft
from sheepgen.prompt_syntax import uses_marks
from sheepgen.request import TEMPLATES
from sheepgen.schedulers import steps_taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from sheepgen.fields import Field
    from sheepgen.metadata.parsed_parameters import ParsedParameters

    _Reader = Callable[..., None]
    """Puts values of the text into a draft; UsageError or ValueError if they are invalid."""

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
_SYNTAXES = {value: syntax for syntax, value in EMPHASIS.items()}

_JSON = json.JSONDecoder()


def looks_like_parameters(text: str) -> bool:
    """Return whether a text contains parameters, and is not just somebody's words."""
    return len(text) <= MAX_CHARACTERS and _SETTINGS.search(text) is not None


def read_parameters(text: str, *, program: str | None = None) -> ParsedParameters:
    """Read AUTOMATIC1111's ``parameters`` text, however incomplete.

    Args:
        text: From an image.
        program: What generated the image, if that is known from elsewhere.

    Raises:
        OutputError: If the text is too long, or its prompt is or cannot be one.
    """
    if len(text) > MAX_CHARACTERS:
        raise OutputError(
            f"The parameters have {len(text):,} characters, too many to be valid.",
            f"At most {MAX_CHARACTERS:,} are read.",
        )
    draft = ParametersDraft(program=program, source=text)
    # In our own text a carriage return is part of the prompt.
    if "\r\n" in text and not _OURS.search(text):
        text = text.replace("\r\n", "\n")
    prompt, negative_prompt, settings = _split(text.rstrip())
    pairs = _read_settings(settings)
    if _OURS.search(settings):
        prompt, tags = split_lora_tags(prompt, pairs)
        for tag in tags:
            draft.leave("Prompt", tag)
    _take_prompts(draft, prompt, negative_prompt, pairs)
    if settings:
        # The web UI draws noise on the GPU, which gives other noise, and does not mention it.
        pairs.setdefault("RNG", "GPU")
    if {"Hires upscale", "Steps"} <= pairs.keys():
        # Nor that its second pass takes as many steps as the first, and not a share of them.
        pairs.setdefault("Hires steps", pairs["Steps"])
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
    return draft.finish()


def _take_prompts(
    draft: ParametersDraft, prompt: str, negative_prompt: str, pairs: dict[str, str]
) -> None:
    """Add both prompts and their syntax. Names of networks are left out, as they are not text."""
    said = {"prompt": prompt, "negative_prompt": negative_prompt}
    syntax = _SYNTAXES.get(pairs.get("Emphasis", ""))
    if syntax is not None:
        del pairs["Emphasis"]
    for name, text in said.items():
        said[name], tags = (text, ()) if syntax == "plain" else split_tags(text)
        draft.take_text(name, said[name])
        for tag in tags:
            draft.leave(FIELDS[name].label.capitalize(), tag)
    if syntax is None and any(map(uses_marks, said.values())):
        syntax = "a1111"
    if syntax is not None:
        try:
            draft.take(prompt_syntax=syntax)
        except UsageError as error:
            draft.leave("Prompt syntax", error.message)


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
    """Read pairs, and after them lines with a key and a value each."""
    first, *more = _LINE_WITH_KEY.split(text)
    pairs = _read_pairs(first)
    for line in more:
        key, _, value = line.partition(": ")
        pairs.setdefault(key, value.strip())
    return pairs


def _read_pairs(line: str) -> dict[str, str]:
    """Split ``Key: value, Key: value``; anything else is skipped."""
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


def _take(field: Field) -> _Reader:
    """Return a reader of one field's value, where the field has an effect."""

    def read(draft: ParametersDraft, value: str) -> None:
        scheduler = draft.settings.get("scheduler")
        if field.needs and (scheduler is None or not field.has_effect(scheduler)):
            raise ValueError(field.needs)
        draft.take(**{field.name: field.kind(value)})

    return read


def _take_size(draft: ParametersDraft, value: str) -> None:
    width, height = value.split("x")
    draft.take(width=int(width), height=int(height))


def _take_sampler(draft: ParametersDraft, sampler: str, schedule_type: str) -> None:
    automatic = schedule_type == "Automatic"
    draft.take(scheduler=sampler if automatic else f"{sampler} {schedule_type}")


def _take_variation(draft: ParametersDraft, seed: str, strength: str) -> None:
    draft.take(variation_seed=int(seed), variation_strength=float(strength))


def _take_hires(draft: ParametersDraft, scale: str, strength: str) -> None:
    draft.take(hires=f"{scale}:{strength}")


def _check_upscaler(draft: ParametersDraft, upscaler: str) -> None:
    if upscaler != UPSCALER or not draft.settings.get("hires"):
        raise ValueError(upscaler)


def _check_hires_steps(draft: ParametersDraft, steps: str) -> None:
    hires = parse_hires(draft.settings.get("hires", ""))
    of_all = draft.settings.get("num_inference_steps")
    if hires is None or of_all is None or int(steps) != steps_taken(of_all, hires.strength):
        raise ValueError(steps)


def _take_template(name: str) -> _Reader:
    """Return a reader of what one of the prompts was picked from."""

    def read(draft: ParametersDraft, value: str) -> None:
        if value != draft.settings.get(name):
            draft.take(**{TEMPLATES[name]: value})

    return read


def _check_noise(_: ParametersDraft, source: str) -> None:
    if source != "CPU":
        raise ValueError(source)


_VARIATION_KEYS = ("Variation seed", "Variation seed strength")

_READERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    (("Size",), _take_size),
    (("Sampler", "Schedule type"), _take_sampler),
    (_VARIATION_KEYS, _take_variation),
    (("Hires upscale", "Denoising strength"), _take_hires),
    (("Hires upscaler",), _check_upscaler),
    # The sampler alone: with Karras at its end, as it once was, or with a schedule that is unknown.
    # It comes first in the table, and so before fields that need a certain one.
    *(
        ((key,), _take(field))
        for field in FIELDS.values()
        for key in field.a1111
        if key not in _VARIATION_KEYS
    ),
    (("Hires steps",), _check_hires_steps),
    (("RNG",), _check_noise),
    *(((key,), _take_template(name)) for key, name in TEMPLATE_KEYS.items()),
)
"""Keys that belong together, and what reads their values; the first that can has them."""
