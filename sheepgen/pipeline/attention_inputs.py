"""Queries and keys of the layers that attend from an image to a text.

Diffusers has a processor for each kind of layer, which computes attention from projections, norms
and rotary embeddings in an order of its own. Each function here does the same for the image's
queries alone, and leaves out the values.

cross-attention   keys are the text's: U-Nets, PixArt, Sana
joint attention   keys are the text's and the image's: Stable Diffusion 3, FLUX.1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from diffusers.models.attention_processor import Attention, JointAttnProcessor2_0
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.sana_transformer import SanaAttnProcessor2_0
from diffusers.models.transformers.transformer_flux import FluxAttention, FluxAttnProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

__all__ = ["AttentionCall", "AttentionInputs", "attends_to_text", "attention_inputs"]


class AttentionCall(NamedTuple):
    """What a layer's processor is called with.

    Args:
        attn: The layer.
        hidden_states: Of the image, (images, positions, channels), or (images, channels, rows,
            columns); of the layers of FLUX.1 that have one sequence, the text's before them.
        encoder_hidden_states: Of the text, (images, tokens, channels); None if it is in the others.
        attention_mask: Added to the logits, (images, 1, tokens); None without.
        more: Further arguments: the rotary embedding, if the network has one.
    """

    attn: Any
    hidden_states: Tensor
    encoder_hidden_states: Tensor | None = None
    attention_mask: Tensor | None = None
    more: tuple[Any, ...] = ()

    def of_last(self, images: int) -> AttentionCall:
        """Return the call as it is for the last images of the batch."""
        hidden, context, mask = (None if each is None else each[-images:] for each in self[1:4])
        assert hidden is not None, "a layer attends from something"
        return AttentionCall(self.attn, hidden, context, mask, self.more)


class AttentionInputs(NamedTuple):
    """What attention is computed from, as ``softmax(query @ key.mT / sqrt(width))``.

    Args:
        query: Of the image's positions, (images, heads, positions, width).
        key: (images, heads, keys, width).
        text: Which of the keys are the text's tokens.
    """

    query: Tensor
    key: Tensor
    text: slice


def attends_to_text(attn: nn.Module) -> bool:
    """Return whether a layer attends from an image to a text, and perhaps to the image, too."""
    if isinstance(attn, FluxAttention):
        return True
    return isinstance(attn, Attention) and (
        attn.is_cross_attention or attn.added_kv_proj_dim is not None
    )


def attention_inputs(processor: object, call: AttentionCall, tokens: int) -> AttentionInputs:
    """Return the queries and keys that a processor attends with.

    Args:
        processor: Diffusers' own; one of an unknown class attends as ``AttnProcessor2_0`` does.
        call: What it is called with.
        tokens: Number of the text's.
    """
    return _INPUTS.get(type(processor), _cross_attention)(call, tokens)


def _cross_attention(call: AttentionCall, tokens: int) -> AttentionInputs:
    """Of ``AttnProcessor2_0``, and of ``AttnAddedKVProcessor2_0``.

    In layers of the latter that also attend to their own positions, these come after the tokens.
    """
    attn, hidden, context = call[:3]
    if hidden.ndim == 4:
        hidden = hidden.flatten(2).mT  # (images, positions, channels)
    if attn.group_norm is not None:
        hidden = attn.group_norm(hidden.mT).mT
    if attn.norm_cross:
        context = attn.norm_encoder_hidden_states(context)
    if attn.added_kv_proj_dim is None:
        key = attn.to_k(context)
    else:
        key = attn.add_k_proj(context)
        if not attn.only_cross_attention:
            key = torch.cat([key, attn.to_k(hidden)], dim=1)
    query, key = (_heads(attn, each) for each in (attn.to_q(hidden), key))
    return AttentionInputs(_normed(attn.norm_q, query), _normed(attn.norm_k, key), slice(0, tokens))


def _sana(call: AttentionCall, tokens: int) -> AttentionInputs:
    """Of ``SanaAttnProcessor2_0``, which norms all heads together."""
    attn, hidden, context = call[:3]
    query = _normed(attn.norm_q, attn.to_q(hidden))
    key = _normed(attn.norm_k, attn.to_k(context))
    return AttentionInputs(_heads(attn, query), _heads(attn, key), slice(0, tokens))


def _stable_diffusion_3(call: AttentionCall, tokens: int) -> AttentionInputs:
    """Of ``JointAttnProcessor2_0``: the image's keys come first."""
    attn, hidden, context = call[:3]
    query = _normed(attn.norm_q, _heads(attn, attn.to_q(hidden)))
    own = _normed(attn.norm_k, _heads(attn, attn.to_k(hidden)))
    words = _normed(attn.norm_added_k, _heads(attn, attn.add_k_proj(context)))
    first = own.shape[2]
    return AttentionInputs(query, torch.cat([own, words], dim=2), slice(first, first + tokens))


def _flux(call: AttentionCall, tokens: int) -> AttentionInputs:
    """Of ``FluxAttnProcessor``: the text's keys come first, and all are rotated."""
    attn, hidden, context = call[:3]
    (rotary,) = call.more
    own = attn.norm_k(_heads(attn, attn.to_k(hidden)))
    if context is None:  # of a layer with one sequence for text and image
        hidden, key = hidden[:, tokens:], own
    else:
        words = attn.norm_added_k(_heads(attn, attn.add_k_proj(context)))
        key = torch.cat([words, own], dim=2)
    query = attn.norm_q(_heads(attn, attn.to_q(hidden)))
    of_image = tuple(each[tokens:] for each in rotary)  # cos and sin, (positions, width) each
    return AttentionInputs(
        apply_rotary_emb(query, of_image, sequence_dim=2),
        apply_rotary_emb(key, rotary, sequence_dim=2),
        slice(0, tokens),
    )


_INPUTS: Mapping[type, Callable[[AttentionCall, int], AttentionInputs]] = {
    SanaAttnProcessor2_0: _sana,
    JointAttnProcessor2_0: _stable_diffusion_3,
    FluxAttnProcessor: _flux,
}


def _heads(attn: Any, states: Tensor) -> Tensor:  # noqa: ANN401 - diffusers has two classes
    """Return (images, positions, heads * width) as (images, heads, positions, width)."""
    images, positions, _ = states.shape
    return states.reshape(images, positions, attn.heads, -1).transpose(1, 2)


def _normed(norm: nn.Module | None, states: Tensor) -> Tensor:
    normed: Tensor = states if norm is None else norm(states)
    return normed
