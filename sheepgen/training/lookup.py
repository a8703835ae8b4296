"""Teaches cross-attention to look at what it is to paint.

A prompt's slots say what each patch of its things looks like (see `sheepgen.training.slots`), but
where in a picture which patch goes, attention finds out very slowly: after 2,800 steps its weights
were still all but even over a thing's slots. Of a training scene it is known. So one head of every
cross-attention is taught to look at the slot that is shown where it looks from. FastComposer
teaches attention in this way which subject is where (https://arxiv.org/abs/2305.10431).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional

from sheepgen.training.slots import SLOTS

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from torch import Tensor

__all__ = ["NOTHING", "LookupProcessor"]

NOTHING = -1
"""Stands for a slot where none is shown."""


class LookupProcessor(AttnProcessor):  # type: ignore[misc]
    """An attention processor that keeps what the first head of each cross-attention looks at.

    It attends as diffusers' plain one, whose backward pass is faster on a CPU than the fused one's.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logits: list[Tensor] = []

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        *args: object,
        **kwargs: object,
    ) -> Tensor:
        """Attend; see diffusers' ``AttnProcessor``."""
        if encoder_hidden_states is not None:
            first_head = slice(attn.inner_dim // attn.heads)
            query = functional.linear(hidden_states, attn.to_q.weight[first_head])
            key = functional.linear(encoder_hidden_states, attn.to_k.weight[first_head])
            self._logits.append(query @ key.mT * attn.scale)
        attended: Tensor = super().__call__(
            attn, hidden_states, encoder_hidden_states, *args, **kwargs
        )
        return attended

    def loss(self, shown: Tensor) -> Tensor:
        """Return how far the last pass's attention was from what is shown, and forget it.

        Args:
            shown: (pictures, side, side), int64: the slot that is shown at each place, or
                `NOTHING`; ``side`` is the finest attention's.

        Returns:
            The mean cross-entropy of the layers, a scalar.
        """
        losses = [_cross_entropy(logits.float(), shown) for logits in self._logits]
        self._logits.clear()
        return torch.stack(losses).mean()


def _cross_entropy(logits: Tensor, shown: Tensor) -> Tensor:
    """Return the mean over places that show something; logits are (pictures, places, tokens)."""
    stride = shown.shape[1] // math.isqrt(logits.shape[1])
    slots = shown[:, stride // 2 :: stride, stride // 2 :: stride].flatten()
    tokens = torch.where(slots == NOTHING, NOTHING, slots + logits.shape[2] - SLOTS)
    total = functional.cross_entropy(
        logits.flatten(0, 1), tokens, ignore_index=NOTHING, reduction="sum"
    )
    return total / (slots != NOTHING).sum().clamp(min=1)
