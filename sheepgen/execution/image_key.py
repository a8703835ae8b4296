"""The key of an image, the same on every machine: `image_key`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sheepgen.caches import NO_CACHE
from sheepgen.fields import HASHED_FIELDS
from sheepgen.metadata.record import PIPELINE_VERSION
from sheepgen.options import NATIVE_ATTENTION
from sheepgen.request import TEMPLATES

if TYPE_CHECKING:
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["image_key"]


def image_key(
    request: ResolvedRequest,
    *,
    model_sha256: str,
    dtype: str,
    attention_backend: str = NATIVE_ATTENTION,
    cache: str = NO_CACHE,
    compiled: bool = False,
) -> str:
    """Return the key under which a folder's manifest lists this image.

    It is a hash of what pixels depend on, as it was asked for: every field of the request, the
    weights, the dtype, the attention backend, the cache, --compile and the version of the loop
    (`PIPELINE_VERSION`). The model's name, folder and variant are left out, since the hash of its
    weights says more, and the paths of pictures and of what is added to the model, whose hashes are
    fields, too; so are the templates that prompts were picked from, and the seed of a variation of
    strength 0, which varies nothing.
    A field with its default value is left out, so that the next field that requests get changes no
    old key.

    It does not depend on the device, threads, batch size, tiled decoding or versions of libraries,
    though they may move the last bits, and tiles a little more: a sweep that is spread over
    machines, or resumed after an update, would generate everything twice. The image's own record
    has them all, and ``sheepgen verify`` names the one that made a difference.

    Args:
        request: With every field resolved.
        model_sha256: Of the model's weights, from its `ModelSpec`.
        dtype: As asked for, ``auto`` included.
        attention_backend: As asked for.
        cache: Likewise, in its canonical form.
        compiled: Whether the denoiser was to be compiled.

    Returns:
        64 hexadecimal digits.
    """
    left_out = {"model", "variant", "lora_autov3", *HASHED_FIELDS, *TEMPLATES.values()}
    if not request.variation_strength:
        left_out.add("variation_seed")
    asked: dict[str, Any] = {
        field.name: _plain(getattr(request, field.name))
        for field in fields(request)
        if field.name not in left_out and getattr(request, field.name) != field.default
    }
    if request.lora:
        asked["lora_scales"] = [_plain(scale) for _, scale in request.adapters.loras]
    named: dict[str, Any] = {
        "recipe": PIPELINE_VERSION,
        "model_sha256": model_sha256,
        "dtype": dtype,
        "request": asked,
    }
    if attention_backend != NATIVE_ATTENTION:
        named["attention_backend"] = attention_backend
    if cache != NO_CACHE:
        named["cache"] = cache
    if compiled:
        named["compiled"] = compiled
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: str | float) -> str | float:
    """Return 7.0 as 7, so that a number has one spelling whichever type it came as."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
