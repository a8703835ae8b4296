"""Supervises the U-Net's finest attention: at each position, the memory token to attend to.

Memory tokens hold what each cell of a drawing is (see `sheepgen.embedded.memory_tokens`). Which
cell goes where in a picture, attention would find out slowly, but of a training scene it is known.
FastComposer teaches attention in this way which subject is where: https://arxiv.org/abs/2305.10431.

Latents are linear in pixels. So the mean of tokens, each weighted by how likely it is, is just what
can be known of clean latents while it is still open where concepts are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers.models.attention_processor import (
    AttnAddedKVProcessor,
    AttnAddedKVProcessor2_0,
    AttnProcessor,
)

from sheepgen.embedded.memory_tokens import MEMORY_TOKENS

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import Attention
    from torch import Tensor
    from torch.autograd.function import FunctionCtx

__all__ = ["NOTHING", "AttentionSupervision", "supervised_attention"]

NOTHING = -1
"""The target at positions that show no memory token."""

SIMPLE = (AttnAddedKVProcessor, AttnAddedKVProcessor2_0)
"""Processors of the U-Net's simple attention: in the middle, and at its finest level."""


class AttentionSupervision:
    """How far the finest attention of a U-Net is from its target, while it is trained.

    All other attention becomes diffusers' plain one, whose backward pass is faster on a CPU than
    the fused one's.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        self._watched = {
            name: _SupervisedProcessor()
            for name, processor in unet.attn_processors.items()
            if isinstance(processor, SIMPLE) and not name.startswith("mid_block")
        }
        plain = {
            name: AttnAddedKVProcessor() if isinstance(processor, SIMPLE) else AttnProcessor()
            for name, processor in unet.attn_processors.items()
        }
        unet.set_attn_processor(plain | self._watched)

    def set_target(self, target: Tensor) -> None:
        """Set what the next pass is to attend to.

        Args:
            target: (pictures, side, side), int64: the memory token at each position, or `NOTHING`.
        """
        for processor in self._watched.values():
            processor.target = target.flatten(1)

    def loss(self) -> Tensor:
        """Return how far the last pass was from its target: the mean cross-entropy, a scalar."""
        return torch.stack([processor.loss for processor in self._watched.values()]).mean()


class _SupervisedProcessor(AttnAddedKVProcessor):  # type: ignore[misc]
    """Attends as diffusers' plain processor, with one head, and says how well."""

    target: Tensor
    loss: Tensor

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        **_: object,
    ) -> Tensor:
        """Attend; see diffusers' ``AttnAddedKVProcessor``."""
        places = attn.group_norm(hidden_states.flatten(2)).transpose(1, 2)
        brought, self.loss = supervised_attention(
            attn.to_q(places) * attn.scale,
            attn.add_k_proj(encoder_hidden_states),
            attn.add_v_proj(encoder_hidden_states),
            self.target,
        )
        attended: Tensor = hidden_states + attn.to_out[0](brought).mT.reshape(hidden_states.shape)
        return attended


def supervised_attention(
    query: Tensor, key: Tensor, value: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Attend, and return what is brought and how far attention was from its target.

    Args:
        query: (pictures, places, width), scaled.
        key: (pictures, tokens, width).
        value: The same shape.
        target: (pictures, places): memory tokens, the last of all tokens, or `NOTHING`.

    Returns:
        (pictures, places, width), and the mean cross-entropy over places that have a target.
    """
    brought, missed = _SupervisedAttention.apply(query, key, value, target)
    return brought, missed


class _SupervisedAttention(torch.autograd.Function):
    """Attention and its cross-entropy in one, which share what costs the time.

    Left to autograd, the cross-entropy of 10 million weights took two fifths of a training step.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, query: Tensor, key: Tensor, value: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what `supervised_attention` does."""
        # On a GPU, autocast computes a softmax in float32; the backward pass knows no autocast.
        weights = (query @ key.mT).softmax(-1).to(value.dtype)
        brought = weights @ value
        tokens = (target + key.shape[1] - MEMORY_TOKENS).clamp(min=0)[..., None]
        # What is counted and averaged, bfloat16 would round too far.
        exact = torch.promote_types(query.dtype, torch.float32)
        counted = (target != NOTHING).to(exact)[..., None]
        counted = counted / counted.sum().clamp(min=1)
        ctx.save_for_backward(query, key, value, weights, brought, tokens, counted)
        missed = -weights.gather(-1, tokens).to(exact).clamp(min=LEAST).log()
        return brought, (missed * counted).sum()

    @staticmethod
    def backward(
        ctx: FunctionCtx, by_brought: Tensor, by_loss: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients by query, key and value."""
        query, key, value, weights, brought, tokens, counted = ctx.saved_tensors  # type: ignore[attr-defined]
        counted = counted * by_loss
        by_logits = by_brought @ value.mT
        by_logits -= (by_brought * brought).sum(-1, keepdim=True) - counted
        by_logits *= weights
        by_logits.scatter_add_(-1, tokens, -counted.to(by_logits.dtype))
        return by_logits @ key, by_logits.mT @ query, weights.mT @ by_brought, None


LEAST = 1e-9
"""The smallest weight whose logarithm is taken."""
