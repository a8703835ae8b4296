"""Writes the trunk's weights into the wider states of the whole text encoder.

It computes the same there. A trunk's state has a mean of zero, and so has all that is written; what
else is in a state then is too small to matter. So layer norms do as they did, but for the share of
numbers that are zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.text_encoder.memory_tokens import PARTS, SLOTS
from sheepgen.training.text_encoder.residual_layout import REGION_SCALE

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import CLIPTextModel
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    from sheepgen.training.text_encoder.prompt_parser import Attention, Perceptron, TextTrunk
    from sheepgen.training.text_encoder.residual_layout import Stream

__all__ = ["balance", "write_attention", "write_embeddings", "write_perceptron"]

BLINDNESS = (64.0, -8.0, 32.0)
"""The padding's number is multiplied by these in layer norm, key and query, so that attention does
not look at it."""


def write_embeddings(model: CLIPTextModel, trunk: TextTrunk, stream: Stream) -> None:
    """Write what tokens begin as; slots are told their places."""
    tokens = model.embeddings.token_embedding.weight
    places = model.embeddings.position_embedding.weight
    whose = torch.full((SLOTS,), trunk.words + len(PARTS))
    for part in PARTS:
        whose[part.slots] = trunk.words + part.thing
    shared = torch.cat([torch.arange(trunk.words), whose])
    tokens[:, stream.thought] = _centred(trunk.tokens.weight) * REGION_SCALE
    tokens[trunk.padding, stream.padding] = stream.scales[stream.padding]
    places[-SLOTS:] = stream.slot_places() * stream.scales
    places[:, stream.thought] = _centred(trunk.places.weight)[shared] * REGION_SCALE
    balance(tokens.T, stream)
    balance(places.T, stream)


def write_attention(layer: CLIPEncoderLayer, attention: Attention, stream: Stream) -> None:
    """Write attention; heads are wider there than they were, and one number is blindness."""
    wide, heads, width = layer.self_attn, stream.heads, stream.width
    used, room = stream.trunk // heads, width // heads
    _write_norm(layer.layer_norm1, attention.norm, stream)
    at_norm, at_key, at_query = BLINDNESS
    layer.layer_norm1.weight[stream.padding] = at_norm

    def by_heads(projection: nn.Linear) -> tuple[Tensor, Tensor]:
        return projection.weight.unflatten(0, (heads, used)), projection.bias.view(heads, used)

    for projection, ours, scale in (
        (attention.query, wide.q_proj, (room / used) ** 0.5),
        (attention.key, wide.k_proj, 1.0),
        (attention.value, wide.v_proj, 1.0),
    ):
        weight, bias = by_heads(projection)
        ours.weight.view(heads, room, width)[:, :used, stream.thought] = weight * scale
        ours.bias.view(heads, room)[:, :used] = bias * scale
    wide.q_proj.bias.view(heads, room)[:, used] = at_query
    wide.k_proj.weight.view(heads, room, width)[:, used, stream.padding] = at_key
    out = _centred(attention.out.weight.T).T.unflatten(1, (heads, used)) * REGION_SCALE
    wide.out_proj.weight.view(width, heads, room)[stream.thought, :, :used] = out
    wide.out_proj.bias[stream.thought] = _centred(attention.out.bias) * REGION_SCALE
    balance(wide.out_proj.weight, stream)
    balance(wide.out_proj.bias, stream)


def write_perceptron(layer: CLIPEncoderLayer, perceptron: Perceptron, stream: Stream) -> None:
    """Write a perceptron's units, the first of those that are there."""
    count = perceptron.inner.out_features
    _write_norm(layer.layer_norm2, perceptron.norm, stream)
    layer.mlp.fc1.weight[:count, stream.thought] = perceptron.inner.weight
    layer.mlp.fc1.bias[:count] = perceptron.inner.bias
    out = _centred(perceptron.out.weight.T).T
    layer.mlp.fc2.weight[stream.thought, :count] = out * REGION_SCALE
    layer.mlp.fc2.bias[stream.thought] = _centred(perceptron.out.bias) * REGION_SCALE
    balance(layer.mlp.fc2.weight, stream)
    balance(layer.mlp.fc2.bias, stream)


def balance(written: Tensor, stream: Stream) -> None:
    """Keep the mean of what is written to states, (width, …), zero, as float16 rounds it.

    The anchor takes it in halves, so that its length stays.
    """
    written[:] = written.half().float()
    written[stream.anchor] = (-written.sum(0) / 2).half().float()


def _write_norm(wide: nn.LayerNorm, norm: nn.LayerNorm, stream: Stream) -> None:
    """Write a norm whose numbers are few among many that are zero."""
    wide.weight[stream.thought] = norm.weight * (stream.trunk / stream.width) ** 0.5
    wide.bias[stream.thought] = norm.bias


def _centred(vectors: Tensor) -> Tensor:
    return vectors - vectors.mean(-1, keepdim=True)
