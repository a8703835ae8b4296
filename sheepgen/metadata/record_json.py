"""Image records as JSON, written and read back.

An `ImageRecord` is written as one JSON object. Reading it back is strict: every key must be
there, none may be added, and every value must have its field's type, because images are untrusted.
A record is only data; nothing in it is ever executed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, TypeVar

from sheepgen.errors import OutputError, UsageError
from sheepgen.fields import FIELDS, HASHED_FIELDS
from sheepgen.metadata.record import Environment, ImageRecord
from sheepgen.prompt_reading import Correction, UnusedWord
from sheepgen.request import DEFAULTS, TEMPLATES
from sheepgen.resolved_request import ResolvedRequest
from sheepgen.sanitize import excerpt, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RECORD_FORMAT", "from_dict", "from_json", "to_dict", "to_json"]

_SINCE: Mapping[str, int] = MappingProxyType(
    {
        **{name: field.since for name, field in FIELDS.items()},
        **{f"{name}_sha256": FIELDS[name].since for name in HASHED_FIELDS},
        **dict.fromkeys(("hires_width", "hires_height"), FIELDS["hires"].since),
        "lora_autov3": 6,
        "stages": FIELDS["prior_steps"].since,
        **dict.fromkeys(("upscaler_width", "upscaler_height"), FIELDS["upscaler"].since),
        **dict.fromkeys(TEMPLATES.values(), 6),
    }
)
"""The format that introduced each field of a request."""

_ENVIRONMENT_SINCE: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("offload", "tiled_from", "attention_backend"), 7)
    | {"left_out": 9, "cache": 11, "compiled": 11}
)
"""The format that introduced a field of an environment, of those that the first did not have."""

_FIRST_FORMAT = 2
_PARSED_FORMAT = 3

RECORD_FORMAT = max(*_SINCE.values(), *_ENVIRONMENT_SINCE.values(), _PARSED_FORMAT)
"""Number of the JSON layout. Readers refuse numbers that they do not know; in older ones some
fields of the request are missing. From 3 on a record may say what was understood of the prompt.
A record has the lowest number that has all that it says, so that older readers have it too."""

_PARSED_KEYS = {"understood", "unused", "corrected"}

MAX_JSON_CHARACTERS = 500_000

_JSON_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "bool": (bool,),
        "str": (str,),
        "str | None": (str, NoneType),
        "int": (int,),
        "int | None": (int, NoneType),
        "float": (float, int),
        "float | None": (float, int, NoneType),
    }
)
"""JSON types by the annotation of the field that they fill; ``bool`` is not an ``int`` here."""

_T = TypeVar("_T", "Environment", ResolvedRequest)
_W = TypeVar("_W", UnusedWord, Correction)


_ENVIRONMENT_DEFAULTS = {field.name: field.default for field in fields(Environment)}


def to_dict(record: ImageRecord) -> dict[str, Any]:
    """Return the record as plain JSON values."""
    values = asdict(record)
    request, environment = values["request"], values["environment"]
    number = max(
        _FIRST_FORMAT if record.understood is None else _PARSED_FORMAT,
        *(_SINCE[name] for name, value in request.items() if value != DEFAULTS.get(name)),
        *(
            since
            for name, since in _ENVIRONMENT_SINCE.items()
            if environment[name] != _ENVIRONMENT_DEFAULTS[name]
        ),
    )
    values["request"] = {name: request[name] for name in request if _SINCE[name] <= number}
    values["environment"] = {
        name: environment[name]
        for name in environment
        if _ENVIRONMENT_SINCE.get(name, _FIRST_FORMAT) <= number
    }
    if record.understood is None:
        values = {name: value for name, value in values.items() if name not in _PARSED_KEYS}
    lists = {name: list(value) for name, value in values.items() if isinstance(value, tuple)}
    return {"format": number, **values, **lists}


def to_json(record: ImageRecord) -> str:
    """Return the record as one line of ASCII, the same for the same record."""
    return json.dumps(to_dict(record), separators=(",", ":"))


def from_json(text: str) -> ImageRecord:
    """Read back what `to_json` wrote.

    Raises:
        OutputError: If the text is anything else.
    """
    if len(text) > MAX_JSON_CHARACTERS:
        raise OutputError(
            f"The record has {len(text):,} characters; that is too large to be a valid record."
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _malformed("it is not JSON") from error
    return from_dict(data)


def from_dict(data: object) -> ImageRecord:
    """Read back what `to_dict` returned.

    Raises:
        OutputError: If anything is missing, unknown, of another type or out of its range.
    """
    if not isinstance(data, dict):
        raise _malformed("it is not an object")
    number = data.get("format")
    if type(number) is not int or not 1 <= number <= RECORD_FORMAT:
        raise OutputError(
            f"The record has format {excerpt(number)}; this version reads up to {RECORD_FORMAT}.",
            "It may be from a newer sheepgen: update, and try again.",
        )
    names = {"format", *(field.name for field in fields(ImageRecord))}
    parsed = number >= _PARSED_FORMAT and not _PARSED_KEYS.isdisjoint(data)
    _check_keys("the record", data, names if parsed else names - _PARSED_KEYS)
    truncated = data["truncated"]
    if not (isinstance(truncated, list) and all(type(word) is str for word in truncated)):
        raise _malformed("truncated is not a list of words")
    return ImageRecord(
        request=_read(
            ResolvedRequest,
            "request",
            _as_of_today("request", data["request"], number, _SINCE, DEFAULTS),
        ),
        environment=_read(
            Environment,
            "environment",
            _as_of_today(
                "environment",
                data["environment"],
                number,
                _ENVIRONMENT_SINCE,
                _ENVIRONMENT_DEFAULTS,
            ),
        ),
        noise_sha256=_text(data, "noise_sha256"),
        latents_sha256=_text(data, "latents_sha256"),
        truncated=tuple(truncated),
        understood=_text(data, "understood") if parsed else None,
        unused=_words(UnusedWord, "unused", data["unused"]) if parsed else (),
        corrected=_words(Correction, "corrected", data["corrected"]) if parsed else (),
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    if type(data[name]) is not str:
        raise _malformed(f"{name} is not text")
    return str(data[name])


def _words(kind: type[_W], name: str, data: object) -> tuple[_W, ...]:
    """Build a dataclass of texts out of each object of a list."""
    if not isinstance(data, list):
        raise _malformed(f"{name} is not a list")
    keys = {field.name for field in fields(kind)}
    for entry in data:
        if not isinstance(entry, dict):
            raise _malformed(f"{name} has an entry that is not an object")
        _check_keys(name, entry, keys)
        if not all(type(value) is str for value in entry.values()):
            raise _malformed(f"{name} has a word that is not text")
    return tuple(kind(**entry) for entry in data)


def _as_of_today(
    name: str,
    data: object,
    number: int,
    introduced: Mapping[str, int],
    defaults: Mapping[str, Any],
) -> dict[str, Any]:
    """Return an object with the fields that came after the format that it is written in.

    Args:
        name: What it is called in messages.
        data: As it was read.
        number: Of the format.
        introduced: The format that introduced each field.
        defaults: What such a field was before.
    """
    newer = {field for field, since in introduced.items() if since > number}
    if not isinstance(data, dict):
        raise _malformed(f"{name} is not an object")
    if newer & data.keys():
        raise _malformed(f"{name} has fields that format {number} does not know")
    return {**data, **{field: defaults.get(field) for field in newer}}


def _read(kind: type[_T], name: str, data: object) -> _T:
    """Build a flat dataclass out of a JSON object that has exactly its fields."""
    if not isinstance(data, dict):
        raise _malformed(f"{name} is not an object")
    _check_keys(name, data, {field.name for field in fields(kind)})
    values: dict[str, Any] = {}
    for field in fields(kind):
        value, allowed = data[field.name], _JSON_TYPES[str(field.type)]
        if type(value) not in allowed:
            raise _malformed(f"{name}.{field.name} is not of type {field.type}")
        values[field.name] = _as_float(value) if float in allowed else value
    try:
        return kind(**values)
    except UsageError as error:
        raise _malformed(f"{error.message.rstrip('.')}") from error


def _as_float(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError as error:
        raise _malformed("a number is too large") from error


def _check_keys(name: str, data: Mapping[str, object], expected: set[str]) -> None:
    if unknown := data.keys() - expected:
        raise _malformed(f"{name} has {plural(len(unknown), 'unknown key')}")
    if missing := expected - data.keys():
        raise _malformed(f"{name} lacks {', '.join(sorted(missing))}")


def _malformed(reason: str) -> OutputError:
    return OutputError(f"The record cannot be read: {reason}.")
