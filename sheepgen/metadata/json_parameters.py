"""Settings that other programs write as one JSON object: a table of what they call what.

The JSON is a stranger's: it may be as deep, long or odd as it likes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.metadata.parsed_parameters import ParametersDraft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.metadata.parsed_parameters import ParsedParameters

__all__ = [
    "DRAW_THINGS",
    "FOOOCUS",
    "INVOKEAI",
    "NOVELAI",
    "SWARMUI",
    "Keys",
    "read_json",
    "read_keys",
]

MAX_CHARACTERS = 2_000_000

_SIZE = re.compile(r"\(?\s*+(\d{1,6})\s*+[x,]\s*+(\d{1,6})\s*+\)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """What a program calls the fields of a request; names that it does not use are empty.

    Args:
        program: Its name, where that is known.
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
    """Return a JSON object, or None if the text is anything else or too long."""
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
        keys: What it calls them.
        data: Of its JSON.
        source: The JSON.

    Raises:
        OutputError: If its prompt is too long, or no prompt at all.
    """
    draft = ParametersDraft(program=keys.program, source=source)
    left = dict(data)
    draft.take_text("prompt", left.pop(keys.prompt, None))
    draft.take_text("negative_prompt", left.pop(keys.negative_prompt, None))
    numbers = {
        "seed": (keys.seed, int),
        "num_inference_steps": (keys.steps, int),
        "guidance_scale": (keys.guidance, float),
    }
    for name, (key, kind) in numbers.items():
        if key in left and _take(draft, {name: left[key]}, kind):
            del left[key]
    sides = _sides(keys, left)
    if sides and _take(draft, sides, int):
        for key in (keys.width, keys.height, keys.size):
            left.pop(key, None)
    sampler = left.get(keys.sampler)
    if isinstance(sampler, str) and _take(draft, {"scheduler": sampler}, str):
        del left[keys.sampler]
    for key, value in left.items():
        if value not in (None, "", [], {}):
            draft.leave(key, "…" if isinstance(value, (dict, list)) else value)
    return draft.finish()


def _sides(keys: Keys, data: Mapping[str, Any]) -> dict[str, Any]:
    if keys.width in data and keys.height in data:
        return {"width": data[keys.width], "height": data[keys.height]}
    size = _SIZE.fullmatch(str(data.get(keys.size, ""))[:100])
    return {"width": size[1], "height": size[2]} if size else {}


def _take(draft: ParametersDraft, fields: Mapping[str, Any], kind: type[int | float | str]) -> bool:
    """Add fields that may be numbers or text of numbers; say whether they fit."""
    try:
        if any(isinstance(value, bool) for value in fields.values()):
            return False
        draft.take(**{name: kind(value) for name, value in fields.items()})
    except (UsageError, ValueError, TypeError, OverflowError):
        return False
    return True
