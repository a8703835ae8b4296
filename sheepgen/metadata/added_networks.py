"""What was added to a model, as AUTOMATIC1111's web UI writes it into its parameters.

    a red fox <lora:ink:0.8>
    Steps: 20, …, VAE hash: 735e4c3a44, VAE: clear.safetensors, Lora hashes: "ink: 3b8aa1d351ef",
    TI hashes: "fuzzy: c74b4e810b03"

A LoRA is known by the hash of its tensors alone, an embedding and a VAE by that of the whole file
(``modules/hashes.py`` and ``extensions-builtin/Lora`` there). Names are those of the files. The
tags at the end of the prompt are the only place for scales; how many of them are not of the prompt
itself follows from the hashes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sheepgen.adapters import LoraReference, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["LORA_HASHES", "lora_tags", "network_pairs", "split_lora_tags"]

LORA_HASHES = "Lora hashes"

_VAE_DIGITS, _NETWORK_DIGITS = 10, 12

_HASH = re.compile(r"[0-9a-f]{12,64}")

_TAG = r" <lora:[^<>:,\n]+:-?[0-9.]+>"


def network_pairs(request: ResolvedRequest) -> dict[str, str]:
    """Return the keys and values that say what was added."""
    adapters, pairs = request.adapters, {}
    vae = _hashed([adapters.vae] if adapters.vae else [], request.vae_sha256)
    if vae:
        pairs = {"VAE hash": vae[0][1][:_VAE_DIGITS], "VAE": _last_part(adapters.vae)}
    upscaler = _hashed([adapters.upscaler] if adapters.upscaler else [], request.upscaler_sha256)
    if upscaler:
        pairs |= {
            "Upscaler hash": upscaler[0][1][:_VAE_DIGITS],
            "Upscaler": _last_part(adapters.upscaler),
        }
    paths = [path for path, _ in adapters.loras]
    for key, hashed in (
        (LORA_HASHES, _hashed(paths, request.lora_autov3)),
        ("TI hashes", _hashed(adapters.embeddings, request.embedding_sha256)),
    ):
        if hashed:
            pairs[key] = ", ".join(f"{name}: {sha[:_NETWORK_DIGITS]}" for name, sha in hashed)
    return pairs


def lora_tags(request: ResolvedRequest) -> str:
    """Return what is put after the prompt; nothing unless all LoRAs have hashes."""
    loras = request.adapters.loras
    named = _hashed([path for path, _ in loras], request.lora_autov3)
    return "".join(
        f" <lora:{name}:{_number(lora)}>" for (name, _), lora in zip(named, loras, strict=False)
    )


def split_lora_tags(prompt: str, pairs: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return a prompt as it was before `lora_tags` were put after it, and these.

    Args:
        prompt: Of parameters that sheepgen wrote.
        pairs: What those say besides.
    """
    number = len(pairs[LORA_HASHES].split(",")) if LORA_HASHES in pairs else 0
    tags = re.search(rf"(?:{_TAG}){{{number}}}\Z", prompt)
    if not number or tags is None:
        return prompt, ()
    return prompt[: tags.start()], tuple(each.strip() for each in re.findall(_TAG, tags[0]))


def _hashed(paths: Sequence[str], hashes: str | None) -> list[tuple[str, str]]:
    """Return name and hash of each; nothing unless there are as many hashes as paths."""
    each = (hashes or "").split(",")
    if len(each) != len(paths) or not all(map(_HASH.fullmatch, each)):
        return []
    return [(_name(path), sha) for path, sha in zip(paths, each, strict=True)]


def _name(path: str) -> str:
    """Return the name of a file without what has a meaning in parameters."""
    return re.sub(r"[<>:,\s]", "", _last_part(path).removesuffix(".safetensors")) or "unnamed"


def _last_part(path: str) -> str:
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return re.sub(r"@[0-9a-f]{40}", "", name)


def _number(lora: LoraReference) -> str:
    # The spelling that requests have, where 1 is left out.
    return to_text((lora._replace(path="a"),)).partition(":")[2] or "1"
