"""Attention at bf16 on processors that multiply bf16 fast, but not by AMX.

There PyTorch's own takes as long at bf16 as at float32: it does not use these instructions. Matrix
products do, so here attention is two of them and a softmax, tile by tile: the scores of a tile stay
in the processor's cache, and those of a whole picture are never in memory.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

__all__ = ["attend", "use_tiled_attention"]

_TILE_SCORES = 2**20
"""Scores that a thread works on at a time: 2 MiB."""

_FEWEST_KEYS = 128
"""With fewer, such as the 77 of a prompt, PyTorch's own is as fast."""


def use_tiled_attention(network: nn.Module) -> None:
    """Let `attend` compute the attention of a network from now on.

    Its processors stay as they are: what they call is replaced while a layer of theirs runs.

    Args:
        network: Of diffusers. Nothing changes where its layers have no processors.
    """
    for module in network.modules():
        if hasattr(module, "processor"):
            # A method, so that a copy of the network runs its own layers.
            module.forward = MethodType(_forward, module)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attend as PyTorch's ``scaled_dot_product_attention``, which does what tiles do not pay for.

    That is masks, dropout, other dtypes, and few keys. A result is within 2% of the largest value
    of what float32 gives from the same numbers.

    Args:
        query: (images, heads, rows, width).
        key: (images, heads, keys, width).
        value: (images, heads, keys, channels).
        attn_mask: As in PyTorch, like all that follows.
        dropout_p: Likewise.
        is_causal: Likewise.
        scale: Likewise.
        enable_gqa: Likewise.

    Returns:
        (images, heads, rows, channels).
    """
    is_plain = attn_mask is None and not dropout_p and not is_causal and not enable_gqa
    is_alike = query.ndim == 4 and query.shape[:2] == key.shape[:2] == value.shape[:2]
    needs_gradient = query.requires_grad or key.requires_grad or value.requires_grad
    if (
        is_plain
        and is_alike
        and not needs_gradient
        and query.dtype == key.dtype == value.dtype == torch.bfloat16
        and key.shape[2] >= _FEWEST_KEYS
    ):
        return _in_tiles(query, key, value, query.shape[3] ** -0.5 if scale is None else scale)
    return scaled_dot_product_attention(
        *(query, key, value, attn_mask, dropout_p, is_causal), scale=scale, enable_gqa=enable_gqa
    )


def _in_tiles(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Return softmax(scale * Q K^T) V.

    Products are rounded to bf16, and what is wrong by a share of a large score is wrong by that
    factor in the weights. A softmax stays the same if all scores of a row change by one number, so
    they are computed a second time, less the row's largest: those that count are near 0 then. The
    subtraction is one more column of Q and K, so it comes before the rounding:
    [q, -max] · [k, 1] = q · k - max.
    """
    images, heads, rows, width = query.shape
    keys, channels = value.shape[2:]
    q = query.reshape(-1, rows, width)
    # What all keys have in common shifts a row, too. Without it less is lost when they are scaled.
    k = key.float()
    k = ((k - k.mean(2, keepdim=True)) * scale).to(key.dtype).reshape(-1, keys, width)
    v = value.reshape(-1, keys, channels)
    q = torch.cat([q, q.new_zeros(len(q), rows, 1)], dim=-1)
    k = torch.cat([k, k.new_ones(len(k), keys, 1)], dim=-1).mT
    tile = _TILE_SCORES * torch.get_num_threads()
    some_rows = max(1, min(rows, tile // keys))
    some_heads = max(1, tile // (some_rows * keys))  # more than one only if all rows fit
    # Memory is taken once: fresh pages would cost more than the products.
    scores = q.new_empty(min(some_heads, len(q)), some_rows, keys)
    attended = q.new_empty(len(q), rows, channels)
    for head in range(0, len(q), some_heads):
        own = slice(head, head + some_heads)
        for row in range(0, rows, some_rows):
            part = q[own, row : row + some_rows]
            weights = scores[: len(part), : part.shape[1]]
            torch.bmm(part, k[own], out=weights)
            part[..., -1] = -weights.amax(-1)
            torch.bmm(part, k[own], out=weights)
            torch.softmax(weights, -1, out=weights)
            torch.bmm(weights, v[own], out=attended[own, row : row + some_rows])
    return attended.view(images, heads, rows, channels)


class _TiledAttention(TorchFunctionMode):
    """While it is active, PyTorch's attention is `attend`."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        _: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        if func is scaled_dot_product_attention:
            func = attend
        return func(*args, **(kwargs or {}))


def _forward(layer: nn.Module, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the layer's own
    with _TiledAttention():
        return type(layer).forward(layer, *arguments, **named)
