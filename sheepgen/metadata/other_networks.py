"""LoRAs in other programs' settings, which are named: no image may choose what is loaded here.

    <lora:ink:0.8>                                             in prompts: the web UI, SwarmUI
    "loras": [["ink.safetensors", 0.8], …]                     Fooocus
    "loras": [{"model": {"name": "ink"}, "weight": 0.8}, …]    InvokeAI
    "loras": ["ink", …]                                        SwarmUI

InvokeAI 3 wrote "lora" and "model_name" instead.
"""

from __future__ import annotations

import re

from sheepgen.sanitize import first_of

__all__ = ["describe_loras", "split_tags"]

_TAG = re.compile(r"<(?:lora|lyco|hypernet):[^<>\n]*+>")

_MOST_NAMED, _MOST_DIGITS = 20, 8


def split_tags(text: str) -> tuple[str, tuple[str, ...]]:
    """Take the tags that name networks out of a prompt; one without them stays as it is."""
    tags = tuple(_TAG.findall(text))
    return (_TAG.sub("", text).strip(), tags) if tags else (text, ())


def describe_loras(value: object) -> str | None:
    """Return what a list of LoRAs says, as in ``ink (0.8), dots``; None if it is none."""
    named = [_describe(entry) for entry in value] if isinstance(value, list) else []
    found = [name for name in named if name is not None]
    return ", ".join(first_of(found, _MOST_NAMED)) or None


def _describe(entry: object) -> str | None:
    match entry:
        case str(name):
            return name
        case [str(name), int() | float() as weight, *_]:
            return f"{name} ({str(weight)[:_MOST_DIGITS]})"
        case {"model": {"name": str(name)}, "weight": int() | float() as weight} | {
            "lora": {"model_name": str(name)},
            "weight": int() | float() as weight,
        }:
            return f"{name} ({str(weight)[:_MOST_DIGITS]})"
        case _:
            return None
