"""The settings in another program's image, as far as they can be read.

Most programs write them as one JSON object; `Keys` says what each program calls the fields.

The texts are untrusted. They become checked fields of a request and nothing else: never a model to
load, a file or an option of the run. Values that a request has no field for, or that its field does
not allow, are returned as text, so that they are not silently lost. The JSON may be arbitrarily
deep, long or odd.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError, UsageError
from sheepgen.fields import FIELDS
from sheepgen.metadata.other_networks import describe_loras, split_tags
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DRAW_THINGS",
    "FOOOCUS",
    "INVOKEAI",
    "NOVELAI",
    "SWARMUI",
    "Keys",
    "ParametersDraft",
    "ParsedParameters",
    "read_json",
    "read_keys",
]

MAX_NOT_MAPPED = 1_000
MAX_CHARACTERS = 2_000_000

_SIZE = re.compile(r"\(?\s*+(\d{1,6})\s*+[x,]\s*+(\d{1,6})\s*+\)?")

_DRAFT: Mapping[str, Any] = MappingProxyType({"prompt": "-", "seed": 0})
"""Fields that every request needs, until the image names them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedParameters:
    """The settings in another program's image.

    Args:
        program: Name of the program, if known.
        settings: Fields of a request, by name; only those that the image names.
        not_mapped: Settings without a field here, as ``Key: value``. They would change the image.
        source: The text they were read from.
    """

    program: str | None
    settings: Mapping[str, Any]
    not_mapped: tuple[str, ...]
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; a prompt or seed that the image does not name is None."""
        draft = GenerationRequest(**{**_DRAFT, **self.settings})
        missing = dict.fromkeys(_DRAFT.keys() - self.settings.keys())
        return {
            "program": self.program,
            "request": {**asdict(draft), **missing},
            "not_mapped": list(self.not_mapped),
        }

    def request(
        self, *, model: str = EMBEDDED_MODEL, prompt: str | None = None, seed: int | None = None
    ) -> GenerationRequest:
        """Return the request that the image describes.

        Args:
            model: Name of the model; the image's own is not mapped.
            prompt: Replaces the image's.
            seed: Replaces the image's.

        Raises:
            OutputError: If there is no prompt or no seed.
        """
        given = {"prompt": prompt, "seed": seed}
        fields = {
            **self.settings,
            **{name: value for name, value in given.items() if value is not None},
        }
        if prompt is not None:  # in place of a blend, too
            fields.pop("blend", None)
        for name in given:
            if name not in fields:
                raise OutputError(f"The image has no {name}.", f"Give one with --{name}.")
        return GenerationRequest(**fields, model=model)


@dataclass(kw_only=True, slots=True)
class ParametersDraft:
    """Settings that are being read."""

    program: str | None
    source: str
    settings: dict[str, Any] = field(default_factory=dict)
    not_mapped: list[str] = field(default_factory=list)

    def take(self, **fields: Any) -> None:  # noqa: ANN401 - a request's fields have many types
        """Add fields of a request.

        Raises:
            UsageError: If a value is out of range; then none is added.
        """
        request = GenerationRequest(**{**_DRAFT, **self.settings, **fields})
        self.settings.update({name: getattr(request, name) for name in fields})

    def take_text(self, name: str, text: object) -> None:
        """Add a prompt or a negative prompt, unless it is empty.

        Raises:
            OutputError: If it cannot be a prompt.
        """
        if not isinstance(text, str) or not text:
            return
        if name == "prompt" and not text.strip():  # blank
            return
        try:
            self.take(**{name: text})
        except UsageError as error:
            raise OutputError(f"The image's settings cannot be read: {error.message}") from error

    def leave(self, key: str, value: object) -> None:
        """Add a setting that a request has no field for."""
        if len(self.not_mapped) < MAX_NOT_MAPPED:
            self.not_mapped.append(f"{key}: {value}")

    def finish(self) -> ParsedParameters:
        """Return the settings."""
        return ParsedParameters(
            program=self.program,
            settings=self.settings,
            not_mapped=tuple(self.not_mapped),
            source=self.source,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """What a program calls the fields of a request; names that it lacks are empty.

    Args:
        program: Its name, if known.
        size: A key that holds both sides, as in ``512x768`` or ``(512, 768)``.
    """

    program: str | None
    prompt: str = "prompt"
    negative_prompt: str = "negative_prompt"
    seed: str = "seed"
    steps: str = "steps"
    guidance: str
    width: str = "width"
    height: str = "height"
    size: str = ""
    sampler: str = "sampler"


FOOOCUS = Keys(program="Fooocus", guidance="guidance_scale", size="resolution")
SWARMUI = Keys(program="SwarmUI", negative_prompt="negativeprompt", guidance="cfgscale")
NOVELAI = Keys(program="NovelAI", negative_prompt="uc", guidance="scale")
DRAW_THINGS = Keys(
    program="Draw Things", prompt="c", negative_prompt="uc", guidance="scale", size="size"
)
INVOKEAI = Keys(
    program="InvokeAI",
    prompt="positive_prompt",
    guidance="cfg_scale",
    sampler="scheduler",
)


def read_json(text: str | None) -> dict[str, Any] | None:
    """Return a JSON object, or None if the text is something else or too long."""
    if text is None or len(text) > MAX_CHARACTERS or not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_keys(keys: Keys, data: Mapping[str, Any], *, source: str) -> ParsedParameters:
    """Read the settings of one program.

    Args:
        keys: What the program calls them.
        data: The parsed JSON.
        source: The JSON text.

    Raises:
        OutputError: If its prompt is too long or cannot be one.
    """
    draft = ParametersDraft(program=keys.program, source=source)
    left = dict(data)
    for name, key in (("prompt", keys.prompt), ("negative_prompt", keys.negative_prompt)):
        text = left.pop(key, None)
        text, tags = split_tags(text) if isinstance(text, str) else (text, ())
        draft.take_text(name, text)
        for tag in tags:
            draft.leave(FIELDS[name].label.capitalize(), tag)
    numbers = {
        "seed": keys.seed,
        "num_inference_steps": keys.steps,
        "guidance_scale": keys.guidance,
    }
    for name, key in numbers.items():
        if key in left and _take(draft, {name: left[key]}):
            del left[key]
    sides = _sides(keys, left)
    if sides and _take(draft, sides):
        for key in (keys.width, keys.height, keys.size):
            left.pop(key, None)
    sampler = left.get(keys.sampler)
    if isinstance(sampler, str) and _take(draft, {"scheduler": sampler}):
        del left[keys.sampler]
    for key, value in left.items():
        if value not in (None, "", [], {}):
            shown = describe_loras(value) if key == "loras" else None
            draft.leave(key, shown or ("…" if isinstance(value, (dict, list)) else value))
    return draft.finish()


def _sides(keys: Keys, data: Mapping[str, Any]) -> dict[str, Any]:
    if keys.width in data and keys.height in data:
        return {"width": data[keys.width], "height": data[keys.height]}
    size = _SIZE.fullmatch(str(data.get(keys.size, ""))[:100])
    return {"width": size[1], "height": size[2]} if size else {}


def _take(draft: ParametersDraft, values: Mapping[str, Any]) -> bool:
    """Add fields given as numbers or text; return whether they are valid."""
    try:
        if any(isinstance(value, bool) for value in values.values()):
            return False
        draft.take(**{name: FIELDS[name].kind(value) for name, value in values.items()})
    except (UsageError, ValueError, TypeError, OverflowError):
        return False
    return True
