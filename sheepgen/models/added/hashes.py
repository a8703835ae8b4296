"""All that is added to a model, found and checked, and the hashes of its files."""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError, UsageError
from sheepgen.fields import FIELDS
from sheepgen.models import hub
from sheepgen.models.added.embedding import find_embedding
from sheepgen.models.added.lora import find_lora
from sheepgen.models.added.places import LABELS, existing, locate
from sheepgen.models.added.prior import find_prior
from sheepgen.models.added.transformer import find_transformer
from sheepgen.models.added.upscaler import find_upscaler
from sheepgen.models.added.vae import find_vae
from sheepgen.models.families import readers_of_fields
from sheepgen.models.fingerprint import file_sha256, fingerprint
from sheepgen.models.gguf import GGUF_SUFFIX
from sheepgen.models.quantization import method_of
from sheepgen.models.safetensors import data_start
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.adapters import Adapters
    from sheepgen.models.added.places import Place
    from sheepgen.models.checkpoint import Checkpoint

__all__ = ["added_hashes"]

_AUTOV3_DIGITS = 12

_PARTS = {"prior": find_prior, "upscaler": find_upscaler}
"""What finds the folders that hold a stage."""


def added_hashes(
    adapters: Adapters, checkpoint: Checkpoint, recorded: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Find and check all that is added to a model.

    Args:
        adapters: What is.
        checkpoint: The model.
        recorded: What this returned for an earlier image; None for what need not be the same.

    Returns:
        The fields of `sheepgen.resolved_request.ResolvedRequest` that have the hashes of the files.

    Raises:
        UsageError: If nothing can be added to this model.
        ModelError: If a file is missing, damaged, not what it is given as, or not the recorded one.
    """
    if adapters.lora:
        _check_not_quantised(adapters, checkpoint)
    named: dict[str, list[str]] = {kind: [] for kind in LABELS}
    for kind, text in adapters.names:
        named[kind].append(text)
    hashes = {
        f"{kind}_sha256": [
            _hash(kind, text, checkpoint, digest)
            for text, digest in zip_longest(
                texts, (recorded.get(f"{kind}_sha256") or "").split(",")[: len(texts)]
            )
        ]
        for kind, texts in named.items()
    }
    hashes["lora_autov3"] = [_autov3(_find("lora", text, checkpoint)) for text in named["lora"]]
    return {name: ",".join(each) or None for name, each in hashes.items()}


def _check_not_quantised(adapters: Adapters, checkpoint: Checkpoint) -> None:
    """Check that what LoRAs change are numbers.

    Raises:
        UsageError: If something is quantised.
    """
    found = [name for name, config in checkpoint.configs.items() if method_of(config)]
    if adapters.transformer:
        path, owner = existing("transformer", adapters.transformer)
        if path.suffix.lower() == GGUF_SUFFIX:
            raise UsageError(
                f"{owner} is a {GGUF_SUFFIX} file, to which no LoRA can be added.",
                "Leave out --lora, or choose a .safetensors file.",
            )
        found = [name for name in found if name != "transformer"]
    if found:
        raise UsageError(
            f"The {found[0]} has quantised weights, to which no LoRA can be added.",
            "Leave out --lora, or choose weights that are not quantised.",
        )


def _autov3(path: Path) -> str:
    """Return what Civitai and AUTOMATIC1111's web UI know a LoRA by."""
    return file_sha256(path, start=data_start(path))[:_AUTOV3_DIGITS]


def _hash(kind: str, text: str, checkpoint: Checkpoint, recorded: str | None) -> str:
    if kind not in checkpoint.family.fields:
        raise UsageError(
            f"{checkpoint.family.name} takes no {LABELS[kind]}.",
            f"Leave out {FIELDS[kind].option}, also in your settings, or choose a model of another "
            f"family with --model: {', '.join(readers_of_fields()[kind])}.",
        )
    path = _find(kind, text, checkpoint)
    if kind in _PARTS:
        digest = fingerprint(path, _PARTS[kind](text, checkpoint).weights)
    else:
        digest = file_sha256(path)
    if recorded and digest != recorded:
        raise ModelError(
            f"The {LABELS[kind]} {excerpt(text, 200)} is not the one that the image was generated "
            "with.",
            "To use another one, regenerate the image with `sheepgen rerun` and "
            f"{FIELDS[kind].option}.",
        )
    return digest


def _find(kind: str, text: str, checkpoint: Checkpoint) -> Path:
    """Return the file that holds what is added, checked if that was not done since it changed."""
    place = locate(kind, text)
    state = place and place.path.stat()
    changes = state and (state.st_ino, state.st_size, state.st_mtime_ns)
    return _weights_of(kind, text, checkpoint, place, changes)


@lru_cache(maxsize=256)
def _weights_of(
    kind: str,
    text: str,
    checkpoint: Checkpoint,
    place: Place | None,
    state: object,  # noqa: ARG001 - makes the cache forget a file that changes
) -> Path:
    """Return the file that holds what is added, or its folder, once it is checked."""
    if kind == "transformer":
        path = find_transformer(text, checkpoint).path
    elif kind == "vae":
        path = find_vae(text, checkpoint).path
    elif kind == "lora":
        path = find_lora(text)
    elif kind in _PARTS:
        found = _PARTS[kind](text, checkpoint)
        if place and place.repo:
            for file in found.weights:
                hub.check_cached(place.repo, found.folder / file)
        return found.folder
    else:
        path = find_embedding(text, checkpoint).path
    if place and place.repo:
        hub.check_cached(place.repo, path)
    return path
