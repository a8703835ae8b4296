"""The networks of a model that LoRAs change: its denoiser and its text encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    Lumina2Transformer2DModel,
    PixArtTransformer2DModel,
    QwenImageTransformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
    ZImageTransformer2DModel,
)
from transformers import CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel

from sheepgen.pipeline.building import building
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.t5 import T5TextEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["empty_networks", "networks_of"]

_DENOISERS: Mapping[str, type[Any]] = {
    each.__name__: each
    for each in (
        ChromaTransformer2DModel,
        Flux2Transformer2DModel,
        FluxTransformer2DModel,
        Lumina2Transformer2DModel,
        PixArtTransformer2DModel,
        QwenImageTransformer2DModel,
        SanaTransformer2DModel,
        SD3Transformer2DModel,
        UNet2DConditionModel,
        ZImageTransformer2DModel,
    )
} | {"Transformer2DModel": PixArtTransformer2DModel}  # as PixArt's models on the Hub have it

_TEXT_ENCODERS: Mapping[str, type[Any]] = {
    each.__name__: each for each in (CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel)
}

_TEXT_SETTINGS = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "projection_dim",
    "vocab_size",
    *("d_ff", "d_kv", "d_model", "feed_forward_proj", "num_heads", "num_layers"),  # of T5
)
"""What the shapes of a text encoder's weights depend on."""


def networks_of(model: LoadedModel) -> dict[str, nn.Module]:
    """Return the networks of a loaded model that LoRAs change, by component."""
    parts = vars(model)
    found = {name: parts[name] for name in _adapted(model.spec)}
    return {
        name: part.model if isinstance(part, T5TextEncoder) else part
        for name, part in found.items()
    }


def empty_networks(spec: ModelSpec) -> dict[str, nn.Module]:
    """Return networks of the same layers without weights, by component.

    Raises:
        ModelError: If a config asks for more than its weights hold.
    """
    return {name: _empty(spec, name) for name in _adapted(spec)}


def _adapted(spec: ModelSpec) -> tuple[str, ...]:
    return tuple(
        name
        for name, class_name in spec.checkpoint.classes.items()
        if class_name in _DENOISERS or class_name in _TEXT_ENCODERS
    )


def _empty(spec: ModelSpec, component: str) -> nn.Module:
    checkpoint = spec.checkpoint
    config, class_name = checkpoint.configs[component], checkpoint.classes[component]
    stored = checkpoint.stored[component]
    with quiet_libraries(), building(component, stored), torch.device("meta"):
        if class_name in _DENOISERS:
            built = _DENOISERS[class_name].from_config(dict(config))
        else:
            network = _TEXT_ENCODERS[class_name]
            settings = {name: config[name] for name in _TEXT_SETTINGS if name in config}
            built = network(network.config_class(**settings))
    assert isinstance(built, torch.nn.Module)
    return built
