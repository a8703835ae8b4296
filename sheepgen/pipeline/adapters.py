"""What is added to a loaded model: another VAE, LoRAs, text embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from diffusers import AutoencoderKL, AutoencoderTiny
from safetensors import safe_open

from sheepgen.models.added.embedding import find_embedding
from sheepgen.models.added.vae import find_vae, vae_checkpoint
from sheepgen.pipeline.embeddings import EmbeddingTokenizer, add_vectors
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.lora import add_loras, restore
from sheepgen.pipeline.lora_networks import networks_of

if TYPE_CHECKING:
    import torch

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.pipeline.lora import Originals

__all__ = ["add_adapters", "change_loras"]

_AUTOENCODERS = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}

_TOKENIZERS: tuple[str, ...] = ("tokenizer", "tokenizer_2")


def add_adapters(model: LoadedModel) -> LoadedModel:
    """Return a model with what its spec says is added to it.

    Args:
        model: As its family loads it; it is not to be used any more.

    Raises:
        ModelError: If something does not fit.
    """
    adapters, parts = model.spec.adapters, vars(model)
    if adapters.loras:
        add_loras(model.spec, networks_of(model), adapters.loras)
    changes: dict[str, Any] = {}
    if adapters.embedding:
        changes |= _tokenizers(model.spec, parts)
    if adapters.vae:
        vae = parts["vae"]
        changes["vae"] = _load_vae(model.spec, vae.dtype).to(vae.device)
    return replace(model, **changes)  # type: ignore[type-var]


def change_loras(
    model: LoadedModel, originals: Originals, lora: str
) -> tuple[LoadedModel, Originals]:
    """Return a model with other LoRAs, bit for bit the one that is loaded with them.

    Args:
        model: Loaded; it is not to be used any more, and no longer whole if this fails.
        originals: What its LoRAs have changed, as this returned it; empty if it has none.
        lora: As in a request.

    Raises:
        ModelError: If one does not fit.
    """
    spec = replace(model.spec, adapters=replace(model.spec.adapters, lora=lora))
    networks = networks_of(model)
    restore(networks, originals)
    originals = add_loras(spec, networks, spec.adapters.loras, keep=True)
    # Another object, which has not encoded any prompt yet.
    return replace(model, spec=spec), originals  # type: ignore[type-var]


def _tokenizers(spec: ModelSpec, parts: dict[str, Any]) -> dict[str, Any]:
    """Give text encoders the vectors of all embeddings, and return tokenizers that know them."""
    embeddings = [find_embedding(path, spec.checkpoint) for path in spec.adapters.embeddings]
    tokenizers: dict[str, EmbeddingTokenizer] = {
        name: EmbeddingTokenizer.of(parts[name], embeddings)
        for name in _TOKENIZERS
        if name in parts
    }
    for embedding in embeddings:
        with safe_open(embedding.path, framework="pt") as file:
            for component, tensor in embedding.tensors.items():
                tokenizer = tokenizers[component.replace("text_encoder", "tokenizer")]
                add_vectors(parts[component], tokenizer, embedding, file.get_tensor(tensor))
    return {**tokenizers}


def _load_vae(spec: ModelSpec, dtype: torch.dtype) -> Any:  # noqa: ANN401
    vae = find_vae(spec.adapters.vae, spec.checkpoint)
    alone = vae_checkpoint(vae, spec.checkpoint)
    return load_diffusers(alone, "vae", _AUTOENCODERS[vae.class_name], dtype)
