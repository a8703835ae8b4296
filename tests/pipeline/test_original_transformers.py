"""Layers are named in the makers' code as diffusers' converters of whole models have it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import (
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    Lumina2Transformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    ZImageTransformer2DModel,
)
from diffusers.loaders import single_file_utils as converters

from sheepgen.pipeline.lora_names import known_layers
from sheepgen.pipeline.original_transformers import original_layers

if TYPE_CHECKING:
    from collections.abc import Callable

_FLUX: dict[str, Any] = {"num_layers": 2, "num_single_layers": 2}  # 3072 wide, as is converted

NETWORKS: dict[str, tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]] = {
    "FLUX.1": (
        FluxTransformer2DModel,
        converters.convert_flux_transformer_checkpoint_to_diffusers,
        {**_FLUX, "guidance_embeds": True},
    ),
    "Chroma": (
        ChromaTransformer2DModel,
        converters.convert_chroma_transformer_checkpoint_to_diffusers,
        _FLUX,
    ),
    "FLUX.2": (
        Flux2Transformer2DModel,
        converters.convert_flux2_transformer_checkpoint_to_diffusers,
        {**_FLUX, "guidance_embeds": False},
    ),
    "Stable Diffusion 3": (
        SD3Transformer2DModel,
        converters.convert_sd3_transformer_checkpoint_to_diffusers,
        {"num_layers": 3, "dual_attention_layers": (0, 1)},
    ),
    "Lumina 2": (
        Lumina2Transformer2DModel,
        converters.convert_lumina2_to_diffusers,
        {"num_layers": 2},
    ),
    "Sana": (
        SanaTransformer2DModel,
        converters.convert_sana_transformer_to_diffusers,
        {"num_layers": 2},
    ),
    "Z-Image": (
        ZImageTransformer2DModel,
        converters.convert_z_image_transformer_checkpoint_to_diffusers,
        {"n_layers": 2},
    ),
}

XLABS = r"double_blocks\.\d\.\w+_lora\d|single_blocks\.\d\.(qkv|proj)"
"""Names that no whole model has."""


class Checkpoint(dict[str, Any]):
    """The weights of a model, without those that are of no layer."""

    def pop(self, key: str, *default: Any) -> Any:
        return super().pop(key, *(default or (torch.zeros(1),)))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rows_of_every_layer_are_those_that_diffusers_converts(name: str) -> None:
    network_class, convert, config = NETWORKS[name]
    with torch.device("meta"):
        network = network_class(**config)
    expected = {
        name: torch.zeros(len(layer.weight))
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
    }
    originals = {
        name: layers
        for name, layers in original_layers(network_class.__name__, expected).items()
        if not re.fullmatch(XLABS, name)
    }
    renamed = {layer for layers in originals.values() for layer in layers}
    known, checkpoint = known_layers({"transformer": network}), Checkpoint()
    for original in originals.keys() | expected.keys() - renamed:
        rows = known[f"diffusion_model.{original}"]
        numbers = torch.rand(sum(each.size for each in rows))
        parts = torch.split(numbers, [each.size for each in rows])
        for each, part in zip(rows, parts, strict=True):
            expected[each.layer][each.first : each.first + each.size] = part
        checkpoint |= {f"{original}.weight": numbers[:, None], f"{original}.bias": numbers}

    converted = convert(checkpoint)

    for layer, numbers in expected.items():
        assert torch.equal(converted[f"{layer}.weight"].flatten(), numbers), layer
