"""What the weights of a loaded model take, whatever its parts are."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from diffusers import DiffusionPipeline
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["loaded_bytes"]


def loaded_bytes(model: Any) -> int:
    """Return the bytes of all parameters and kept buffers of a model's networks, each once."""
    weights = {
        id(each): each
        for network in _networks(model)
        for each in network.state_dict(keep_vars=True).values()
        if isinstance(each, Tensor)  # those of bitsandbytes say more in other forms
    }
    return sum(each.nbytes for each in weights.values())


def _networks(part: Any) -> Iterator[nn.Module]:
    if isinstance(part, nn.Module):
        yield part
    elif isinstance(part, DiffusionPipeline):
        yield from (each for each in part.components.values() if isinstance(each, nn.Module))
    elif is_dataclass(part):
        for field in fields(part):
            yield from _networks(getattr(part, field.name))
