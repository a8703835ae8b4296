"""AUTOMATIC1111's ``parameters`` text, which is written beside each record.

Most viewers and sites know it (``modules/infotext_utils.py`` in the web UI): the prompt,
``Negative prompt:`` and the negative prompt, and a last line of ``Key: value`` pairs, where a value
may be quoted as in JSON. Nothing escapes a prompt that contains such lines itself, which is why
sheepgen reads its own images from the JSON record instead.

CFG scale is the guidance scale here: 1 is off in both. Size is the first pass's in both.
``Emphasis: None`` says that brackets in the prompts are text; without it they are weights
(`sheepgen.prompt_syntax`). `sheepgen.metadata.a1111_reader` reads the text from any image.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.fields import FIELDS
from sheepgen.hires import UPSCALER, parse_hires
from sheepgen.metadata.added_networks import lora_tags, network_pairs
from sheepgen.prompt_syntax import uses_marks
from sheepgen.request import DEFAULTS, TEMPLATES
from sheepgen.schedulers import OWN_SCHEDULER, SCHEDULERS, steps_taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["EMPHASIS", "TEMPLATE_KEYS", "to_parameters"]

EMPHASIS: Mapping[str, str] = MappingProxyType({"plain": "None", "a1111": "Original"})
"""Value of the web UI's key ``Emphasis`` by our prompt syntax: whether brackets are text there."""

TEMPLATE_KEYS: Mapping[str, str] = MappingProxyType(
    {"Template": "prompt", "Negative Template": "negative_prompt"}
)
"""What the web UI's wildcard extension calls the templates of prompts (``pnginfo_saver.py`` in
sd-dynamic-prompts). It writes them on lines of their own, and also where nothing was picked."""

_FIRST_KEYS = (
    *("Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model hash", "Model"),
    *("VAE hash", "VAE"),
    *("Variation seed", "Variation seed strength", "RNG"),
)
"""As the web UI orders them; other keys follow, and the version."""


def to_parameters(record: ImageRecord) -> str:
    """Return AUTOMATIC1111's ``parameters`` text.

    ``RNG: CPU`` is part of it because readers otherwise assume that the noise is from the GPU.
    """
    request, environment = record.request, record.environment
    said: dict[str, object] = {
        key: template
        for key, name in TEMPLATE_KEYS.items()
        if (template := getattr(request, TEMPLATES[name])) is not None
    } | {
        field.a1111[0]: value
        for field in reversed([*FIELDS.values()])
        if field.a1111 and (value := getattr(request, field.name)) != DEFAULTS.get(field.name)
    }
    said |= _second_pass(request)
    said |= {
        **_sampler(request.scheduler),
        "Size": f"{request.width}x{request.height}",
        "Model hash": environment.model_sha256[:10],
        "Model": request.model,
        "RNG": "CPU",
        **network_pairs(request),
        "Version": f"sheepgen {environment.sheepgen}",
    }
    # What a reader would not guess from the prompts.
    prompts = (request.prompt, request.negative_prompt)
    if request.prompt_format.has_marks != any(map(uses_marks, prompts)):
        said["Emphasis"] = EMPHASIS[request.prompt_syntax]
    if not request.variation_strength:
        said.pop("Variation seed", None)
    first = {key: said.pop(key) for key in _FIRST_KEYS if key in said}
    lines = [request.prompt + lora_tags(request)]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    pairs = (f"{key}: {_quote(_text(value))}" for key, value in (first | said).items())
    lines.append(", ".join(pairs))
    return "\n".join(filter(None, lines))


def _sampler(scheduler: str) -> dict[str, object]:
    if scheduler == OWN_SCHEDULER:
        return {"Sampler": OWN_SCHEDULER}
    spec = SCHEDULERS[scheduler]
    return {"Sampler": spec.sampler, "Schedule type": spec.schedule_type}


def _second_pass(request: ResolvedRequest) -> dict[str, object]:
    """Return what is said of a second pass; its strength is in the place of an image's own."""
    if (hires := parse_hires(request.hires)) is None:
        return {}
    scale, strength = str(hires).split(":")
    return {
        "Denoising strength": strength,
        "Hires upscale": scale,
        "Hires steps": steps_taken(request.num_inference_steps, hires.strength),
        "Hires upscaler": UPSCALER,
    }


def _text(value: object) -> str:
    """Return the shortest text that reads back as the same value: ``7``, ``7.5``."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _quote(value: str) -> str:
    """Quote as AUTOMATIC1111 does where the value holds one of the grammar's own characters."""
    return json.dumps(value, ensure_ascii=False) if set(value) & set(',:\n"') else value
