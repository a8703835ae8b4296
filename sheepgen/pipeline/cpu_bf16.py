"""How a model at bf16 is laid out on the CPU. At float32 nothing changes, not a bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sheepgen.options import NATIVE_ATTENTION
from sheepgen.pipeline.device import cpu_capabilities
from sheepgen.pipeline.offload import components_of
from sheepgen.pipeline.tiled_attention import use_tiled_attention

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.pipeline.family import LoadedModel

__all__ = ["lay_out", "wants_tiled_attention"]


def lay_out(model: LoadedModel, attention_backend: str = NATIVE_ATTENTION) -> None:
    """Lay out the networks of a loaded model for the CPU at bf16.

    Convolutions have the channels last, which takes them a fifth less time, and attention is
    computed in tiles where that is faster.

    Args:
        model: On the CPU, at bf16.
        attention_backend: Computes its attention if it is not the native one.
    """
    is_tiled = attention_backend == NATIVE_ATTENTION and wants_tiled_attention(cpu_capabilities())
    for network in components_of(model).values():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)
        if is_tiled:
            use_tiled_attention(network)


def wants_tiled_attention(capabilities: Mapping[str, object]) -> bool:
    """Return whether a processor multiplies bf16 fast, but PyTorch's attention does not use that.

    With AMX it does.

    Args:
        capabilities: As `sheepgen.pipeline.device.cpu_capabilities` returns them.
    """
    return bool(capabilities.get("avx512_bf16")) and not capabilities.get("amx_bf16")
