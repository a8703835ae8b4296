"""The keys of a job, one table: what a line may say, and the JSON Schema that says so.

They are the fields of `GenerationRequest`, ``size`` for width and height together, ``output`` and
``id``. A new field of the request comes along by itself.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.fields import (
    MAX_GUIDANCE,
    MAX_PROMPT_CHARACTERS,
    MAX_SEED,
    MAX_SIDE,
    MAX_STEPS,
    RANDOM_SEED,
)
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

__all__ = ["KEYS", "job_schema"]

_TEXT = {"maxLength": MAX_PROMPT_CHARACTERS}
_SEED = {"minimum": RANDOM_SEED, "maximum": MAX_SEED}
_SIDE = {"minimum": 1, "maximum": MAX_SIDE}
_SHARE = {"minimum": 0, "maximum": 1}
_DETAILS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "prompt": {"description": "The prompt.", "pattern": r"\S", **_TEXT},
        "negative_prompt": {"description": "What to avoid.", **_TEXT},
        "seed": {"description": "Random seed. Without it, or at -1, one is picked.", **_SEED},
        "variation_seed": {
            "description": "Second seed to blend in. At -1, or without it and with a "
            "variation_strength, one is picked.",
            **_SEED,
        },
        "variation_strength": {
            "description": "How strongly to blend it in: 0 is not at all.",
            **_SHARE,
        },
        "num_inference_steps": {
            "description": "Denoising steps. Without it, the model's own.",
            "minimum": 1,
            "maximum": MAX_STEPS,
        },
        "guidance_scale": {
            "description": "How closely to follow the prompt; 1 is off. Without it, the model's "
            "own.",
            "minimum": 0,
            "maximum": MAX_GUIDANCE,
        },
        "guidance_rescale": {"description": "Rescale guidance, to reduce over-exposure.", **_SHARE},
        "eta": {"description": "Noise added at each step, with ddim and tcd only.", **_SHARE},
        "width": {"description": "Pixels. Without it, the model's own.", **_SIDE},
        "height": {"description": "Pixels. Without it, the model's own.", **_SIDE},
        "scheduler": {
            "description": "A name from `sheepgen schedulers`. Without it, the model's own.",
            "examples": list(SCHEDULERS),
        },
        "model": {
            "description": "A name from `sheepgen models`, a diffusers folder, or "
            "org/name[@revision].",
            "pattern": r"\S",
            **_TEXT,
        },
    }
)
"""What the types of the request's fields do not say, in JSON Schema's words."""


def _schema_of(field: Field[Any]) -> dict[str, Any]:
    kinds = {"str": "string", "int": "integer", "float": "number"}
    kind = {"type": kinds[str(field.type).removesuffix(" | None")]}
    default = {} if field.default in (MISSING, None) else {"default": field.default}
    return {**kind, **_DETAILS.get(field.name, {}), **default}


KEYS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        **{field.name: _schema_of(field) for field in fields(GenerationRequest)},
        "size": {
            "type": "string",
            "description": "Width and height at once: 512x768.",
            "pattern": "^[0-9]{1,6}[xX][0-9]{1,6}$",
        },
        "output": {
            "type": "string",
            "description": "A file, a folder/ or a template as --output takes it, inside the "
            "batch's folder: no absolute path, no `..`, no name that begins with a point.",
            "minLength": 1,
        },
        "id": {
            "type": ("string", "number"),
            "description": "Anything; it comes back in the answer.",
        },
    }
)
"""Every key of a job and the JSON Schema of its value."""


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a line."""
    properties = {
        name: schema if name == "prompt" else {**schema, "type": _nullable(schema["type"])}
        for name, schema in KEYS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A job of `sheepgen batch`",
        "description": "One line of JSON. Keys may also be spelled as the command line spells its "
        "options, or as AUTOMATIC1111's API does: steps, guidance, sampler_name, cfg_scale. Null "
        "means that the key is not there.",
        "type": "object",
        "properties": properties,
        "required": ["prompt"],
        "additionalProperties": False,
        "not": {"anyOf": [{"required": ["size", side]} for side in ("width", "height")]},
    }


def _nullable(kind: str | tuple[str, ...]) -> list[str]:
    return [*([kind] if isinstance(kind, str) else kind), "null"]
