"""The weighted sum of what text encoders make of several prompts: `sheepgen.blend` computed.

    e = w_1 * e_1 + w_2 * e_2 + ...

Everything that a family's encoder returns of a text is summed: the states of its tokens, place by
place, padding included, and the pooled summary, if there is one. So it takes a family whose prompts
all come out equally long, without masks that differ. It is what one gives diffusers' pipelines as
``prompt_embeds`` (and ``pooled_prompt_embeds``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["weighted_sum"]

_E = TypeVar("_E", bound="Tensor | tuple[Tensor, ...]")


def weighted_sum(prompts: Iterable[tuple[_E, float]]) -> _E:
    """Add up encoded prompts.

    Args:
        prompts: What became of each, a tensor or a named tuple of tensors, and its weight; at least
            one. Shapes and dtypes are the same for all.

    Returns:
        Likewise. It is summed at float32, in the order of the prompts, and rounded once. One prompt
        of weight 1 comes back as it is.
    """
    encoded: tuple[Any, ...]
    encoded, weights = zip(*prompts, strict=True)
    summed: Any
    if len(encoded) == 1 and weights[0] == 1:
        summed = encoded[0]
    elif isinstance(encoded[0], Tensor):
        summed = _sum(encoded, weights)
    else:  # field by field
        summed = type(encoded[0])(*(_sum(each, weights) for each in zip(*encoded, strict=True)))
    found: _E = summed
    return found


def _sum(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    total = tensors[0].float() * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        total = total + tensor.float() * weight
    return total.to(tensors[0].dtype)
