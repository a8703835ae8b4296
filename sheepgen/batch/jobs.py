"""A job is a line: one JSON object that says what an image is, as `GenerationRequest` does.

    {"prompt": "a red sheep", "seed": 7, "steps": 20, "output": "sheep/{seed}.png", "id": "a1"}
    a red sheep in the snow

A line that does not begin with a brace, or begins with ``{red|blue}``, is a prompt and nothing
else; one with a # in front is a comment, as in the files of prompts that a sweep reads.

`KEYS` says which keys there are; one whose value is null is read as if it were not there. Lines are
untrusted: none is read without end, and none is saved outside the batch's folder. But a job starts
from whatever picture it names, if the user can read it.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_PROMPT_CHARACTERS, RANDOM_SEED, find_field
from sheepgen.presets import Presets
from sheepgen.request import DEFAULTS, GenerationRequest, draw_seed
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from sheepgen.fields import Field

__all__ = [
    "KEYS",
    "MAX_LINE_CHARACTERS",
    "Job",
    "JobId",
    "job_id",
    "job_schema",
    "parse_job",
    "read_lines",
]

MAX_LINE_CHARACTERS = 500_000
"""Room for two prompts of the greatest length with every character escaped."""

JobId = str | int | float | None

_EXAMPLE = '{"prompt": "a red sheep", "seed": 7}'
_ALIASES = {"outdir": "output"}
"""Other programs' spellings of keys that are not fields of a request."""

_BLANK = "\ufeff \t\r\n"
_ALTERNATIVES = re.compile(r"\{[^\"':}]*\|")
"""A group of them, which no JSON begins like."""

_WANTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    ("string", "number"): "text or a number",
}
_FOUND = {bool: "true or false", str: "text", list: "a list", tuple: "an object"}


_JSON_TYPES = {str: "string", int: "integer", float: "number"}


def _schema_of(field: Field) -> dict[str, Any]:
    """Return the JSON Schema of a field's values."""
    schema: dict[str, Any] = {"type": _JSON_TYPES[field.kind], "description": field.help}
    if field.is_seed:
        schema["description"] += f" If omitted or {RANDOM_SEED}, one is picked."
    elif field.from_model:
        schema["description"] += " Defaults to the model's own."
    if field.kind is str:
        schema["maxLength"] = MAX_PROMPT_CHARACTERS
    else:
        schema |= {"minimum": RANDOM_SEED if field.is_seed else field.low, "maximum": field.high}
    if field.hint_if_blank:
        schema["pattern"] = r"\S"
    elif field.pattern:
        schema["pattern"] = f"^{field.pattern}$"
    if field.choices:
        schema["enum"] = [*field.choices, None]
    if field.name == "scheduler":
        schema["examples"] = list(SCHEDULERS)
    default = DEFAULTS.get(field.name)
    # A prompt that is left out is empty, but none that is given may be.
    is_nothing = default is None or (default == "" and field.hint_if_blank)
    return schema if is_nothing else {**schema, "default": default}


KEYS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        **{
            each.name: _schema_of(FIELDS[each.name])
            for each in fields(GenerationRequest)
            if each.name in FIELDS
        },
        "size": {
            "type": "string",
            "description": "Width and height, as in 512x768.",
            "pattern": "^[0-9]{1,6}[xX][0-9]{1,6}$",
        },
        "output": {
            "type": "string",
            "description": "A file, a folder/ or a template, as --output takes, inside the batch's "
            "folder: not an absolute path, and without `..` or names that begin with a dot.",
            "minLength": 1,
        },
        "id": {
            "type": ("string", "number"),
            "description": "Any value; the answer repeats it.",
        },
    }
)
"""Every key of a job and the JSON Schema of its value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One line, read.

    Args:
        request: The image; fields that neither the line nor the defaults set are unset.
        output: A template inside the batch's folder, or None for the batch's own.
        id: What the sender calls it.
    """

    request: GenerationRequest
    output: str | None
    id: JobId


def read_lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, each as soon as it is there, without blanks and comments.

    Bytes that are not UTF-8 become half surrogates, which no key takes, and of a line that is too
    long there is as much as `parse_job` needs to refuse it.
    """
    most = 4 * MAX_LINE_CHARACTERS + 1
    for number, line in enumerate(iter(partial(file.readline, most), b""), start=1):
        part = line
        while len(part) == most and not part.endswith(b"\n"):
            part = file.readline(most)
        text = line.decode(errors="surrogateescape")
        if text.strip(_BLANK) and not text.lstrip(_BLANK).startswith("#"):
            yield number, text


def parse_job(
    line: str,
    defaults: Mapping[str, Any],
    presets: Presets | None = None,
    *,
    picks_seeds: bool = True,
) -> Job:
    """Read one line.

    Args:
        line: One JSON object, or a prompt.
        defaults: Fields of the request, for what the line does not say.
        presets: Names that its model and LoRAs may have.
        picks_seeds: Whether a seed is picked where none is given.

    Raises:
        UsageError: If a line that begins with a brace is no JSON object, a key is unknown, given
            twice or of another type, a value is invalid, or a seed is missing.
    """
    values: dict[str, Any] = {}
    for key, value in _one_scheduler(_pairs(line)):
        name = _name(key)
        if name in values:
            raise UsageError(f"{excerpt(key)} is given twice.", "Leave one of them out.")
        values[name] = None if value is None else _typed(name, value)
    given = {name: value for name, value in values.items() if value is not None}
    called, output = given.pop("id", None), given.pop("output", None)
    if output is not None:
        _check_output(output)
    if "size" in given:
        given |= _sides(given)
    asked = (presets or Presets()).fill({**defaults, **given}, given=given.keys())
    if "prompt" in given and "blend" not in given:  # which a default stands in place of
        asked.pop("blend", None)
    if asked.get("image") is None:  # defaults are for the jobs that they mean something to
        meaningless = {each for each in defaults if FIELDS[each].needs_image} - given.keys()
        asked = {key: value for key, value in asked.items() if key not in meaningless}
    return Job(request=_request(asked, picks_seeds=picks_seeds), output=output, id=called)


def job_id(line: str) -> JobId:
    """Return the ``id`` of a line however wrong the rest of it is, or None if there is none."""
    try:
        return next((_typed("id", value) for key, value in _pairs(line) if key == "id"), None)
    except UsageError:
        return None


def _pairs(line: str) -> tuple[tuple[str, Any], ...]:
    """Return keys and values; an object becomes a tuple, also within, and a list stays one."""
    if len(line) > MAX_LINE_CHARACTERS:
        raise UsageError(
            f"The line has more than {MAX_LINE_CHARACTERS:,} characters.", "Shorten it."
        )
    text = line.lstrip(_BLANK)
    if not text.startswith("{") or _ALTERNATIVES.match(text):
        return (("prompt", line.strip(_BLANK)),)
    try:
        pairs: tuple[tuple[str, Any], ...] = json.loads(
            line.removeprefix("\ufeff"), object_pairs_hook=tuple
        )
    except (ValueError, RecursionError) as error:
        place = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(
            f"The line is not JSON{place}.",
            f"Write an object on one line, in UTF-8: {_EXAMPLE}, or a prompt alone.",
        ) from error
    return pairs


def _one_scheduler(pairs: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """Return AUTOMATIC1111's ``sampler_name`` and ``scheduler``, a schedule type there, as one."""
    match [pair for pair in pairs if pair[0] in ("sampler_name", "scheduler")]:
        case [(first, str(one)), (second, str(other))] if first != second:
            sampler, schedule = (one, other) if first == "sampler_name" else (other, one)
            together = sampler if schedule.casefold() == "automatic" else f"{sampler} {schedule}"
            rest = (pair for pair in pairs if pair[0] not in (first, second))
            return (*rest, ("scheduler", together))
        case _:
            return pairs


def _name(key: str) -> str:
    """Return the key's own name, however it is spelled."""
    word = key.replace("-", "_")
    field = find_field(word)
    name = _ALIASES.get(word, word) if field is None else field.name
    if name not in KEYS:
        nearest = get_close_matches(word, [*KEYS, *(each.key for each in FIELDS.values())], n=1)
        hint = f"Did you mean {nearest[0]}? " if nearest else ""
        raise UsageError(f'Unknown key "{excerpt(key)}".', f"{hint}Known: {', '.join(KEYS)}.")
    return name


def _typed(name: str, value: object) -> Any:  # noqa: ANN401 - as the table says
    kind = KEYS[name]["type"]
    match kind, value:
        case _, bool():
            pass
        case "string", str():
            return value
        case "integer", int():
            return value
        case "integer", float() if value.is_integer():  # one to JSON Schema, too
            return int(value)
        case "number", int() | float():
            return _as_float(value)
        case tuple(), str() | int():
            return value
        case tuple(), float() if math.isfinite(value):
            return value
        case _:
            pass
    found = _FOUND.get(type(value)) or excerpt(value)
    raise UsageError(f"{name} must be {_WANTED[kind]}, got {found}.")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _check_output(output: str) -> None:
    """Refuse what leads out of the batch's folder, here or on another system, or hides in it."""
    if not output.strip() or not output.isprintable():
        raise UsageError(f"output is not a file name: {excerpt(output)!r}", "Write plain text.")
    parts = re.split(r"[/\\]", output)
    if not parts[0] or ":" in output or any(part.startswith(".") for part in parts):
        raise UsageError(
            f"output is outside the batch's folder, or hidden in it: {excerpt(output)}",
            "Use a relative path without `..`, `:` or names that begin with a dot.",
        )


def _sides(given: dict[str, Any]) -> dict[str, int]:
    size = given.pop("size")
    if "width" in given or "height" in given:
        raise UsageError("size sets both sides already.", "Leave out width and height.")
    if not re.fullmatch(KEYS["size"]["pattern"], size):
        raise UsageError(f'"{excerpt(size)}" is not a size.', "Write 512x768: width first.")
    width, height = re.split("[xX]", size)
    return {"width": int(width), "height": int(height)}


def _request(values: dict[str, Any], *, picks_seeds: bool) -> GenerationRequest:
    varied = values.get("variation_strength") or values.get("variation_seed") == RANDOM_SEED
    needed = ["seed", *(["variation_seed"] if varied else [])]
    missing = [name for name in needed if values.get(name) in (None, RANDOM_SEED)]
    if missing and not picks_seeds:
        label = FIELDS[missing[0]].label
        raise UsageError(
            f"{label} is needed with --shard: each shard would pick another.",
            f'Put it into the job, as in {{"{missing[0]}": 7}}.',
        )
    return GenerationRequest(**values | {name: draw_seed() for name in missing})


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a line."""
    properties = {
        name: {**schema, "type": _nullable(schema["type"])} for name, schema in KEYS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A job of `sheepgen batch`",
        "description": "One line of JSON. Keys may also be spelled as the command line spells its "
        "options, or as AUTOMATIC1111's API does: steps, guidance, sampler_name, cfg_scale. Null "
        "counts as omitted. Most models need a prompt.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "dependentRequired": {
            name: ["image"] for name, field in FIELDS.items() if field.needs_image
        },
        "not": {"anyOf": [{"required": ["size", side]} for side in ("width", "height")]},
    }


def _nullable(kind: str | tuple[str, ...]) -> list[str]:
    return [*([kind] if isinstance(kind, str) else kind), "null"]
