"""Makes the text encoder: a ``CLIPTextModel`` that tells the U-Net what `States` would.

Its first layers are the trunk's (`sheepgen.training.text_encoder.prompt_parser`), its weights in a
wider state. The last perceptron of those, and four layers behind them, are written, not trained:

    weigh     of the trunk's answers some become 0 or 1, others weights, at tokens that are asked
    choose    what has most weight becomes 1
    look up   thing and style become the code of the drawing
    block     each slot's code becomes that of its block
    cell      and that the look of its cell; its marks are told, too

See `sheepgen.training.text_encoder.argmax` for weights, `sheepgen.training.text_encoder.appearance`
for codes, and `sheepgen.training.text_encoder.residual_layout` for where in states they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import CLIPTextConfig, CLIPTextModel

from sheepgen.models.families import PROMPT_TOKENS
from sheepgen.training.text_encoder.argmax import choose_units, weigh_units
from sheepgen.training.text_encoder.attention_reads import write_fetching
from sheepgen.training.text_encoder.block_attention import blocks_attended, write_block_attention
from sheepgen.training.text_encoder.codebook_lookup import block_units, cell_units, look_up_units
from sheepgen.training.text_encoder.memory_tokens import SLOTS
from sheepgen.training.text_encoder.residual_layout import ANCHOR_LENGTH, REGION_SCALE, Stream
from sheepgen.training.text_encoder.trunk_layers import (
    balance,
    write_attention,
    write_embeddings,
    write_perceptron,
)

if TYPE_CHECKING:
    from transformers import CLIPTokenizer
    from transformers.models.clip.modeling_clip import CLIPEncoderLayer

    from sheepgen.training.text_encoder.conditioning_targets import States
    from sheepgen.training.text_encoder.gates import Units
    from sheepgen.training.text_encoder.prompt_parser import TextTrunk

__all__ = ["unfold"]


@torch.no_grad()
def unfold(trunk: TextTrunk, states: States, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Return the text encoder, float32, as exact after its weights were stored in float16.

    Args:
        trunk: What reads prompts.
        states: What is told of what it reads.
        tokenizer: What cuts prompts into tokens.
    """
    stream = Stream.of(trunk, states.looks, states.layout)
    first, last = blocks_attended(stream)
    steps = [
        weigh_units(trunk, stream),
        choose_units(trunk, stream),
        look_up_units(trunk, stream, states),
        block_units(stream, states.looks, range(first.stop, last.start)),
        cell_units(stream, states.looks),
    ]
    model = _untold(trunk, stream, tokenizer, max(map(len, steps)), len(steps) - 1)
    write_embeddings(model, trunk, stream)
    layers = list(model.encoder.layers)
    for layer, attention in zip(layers, trunk.attentions, strict=False):
        write_attention(layer, attention, stream)
    for layer, perceptron in zip(layers, trunk.perceptrons, strict=False):
        write_perceptron(layer, perceptron, stream)
    written = layers[len(trunk.perceptrons) :]
    _write_anchor(written[0], stream)
    for layer, units in zip(written, steps, strict=True):
        _write_units(layer, units, stream)
    write_fetching(written[1], stream)
    write_block_attention(written[3], stream, states.looks, first)
    write_block_attention(written[4], stream, states.looks, last)
    told = model.final_layer_norm.weight
    told[stream.layout.width :] = 0
    told[: stream.layout.width] = ANCHOR_LENGTH / stream.scales[: stream.layout.width]
    told[stream.thought][trunk.meaning] = ANCHOR_LENGTH / REGION_SCALE
    return model.half().float().eval()


def _untold(
    trunk: TextTrunk, stream: Stream, tokenizer: CLIPTokenizer, units: int, further: int
) -> CLIPTextModel:
    """Return an encoder whose layers, the trunk's and further ones, add nothing."""
    model = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=trunk.tokens.num_embeddings,
            hidden_size=stream.width,
            intermediate_size=max(units, *(p.inner.out_features for p in trunk.perceptrons), 0),
            projection_dim=stream.width,
            num_hidden_layers=len(trunk.attentions) + further,
            num_attention_heads=stream.heads,
            max_position_embeddings=trunk.words + SLOTS,
            **{PROMPT_TOKENS: trunk.words},
            hidden_act="gelu",
            layer_norm_eps=1e-5 * REGION_SCALE**2 * stream.trunk / stream.width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    for weight in model.parameters():
        weight.zero_()
    return model


def _write_anchor(layer: CLIPEncoderLayer, stream: Stream) -> None:
    """Write it behind attention, and what of it float16 rounds off behind the perceptron."""
    length = ANCHOR_LENGTH * (stream.width / 2) ** 0.5
    anchor = torch.tensor([length, -length])
    first = anchor.half().float()
    layer.self_attn.out_proj.bias[stream.anchor] += first
    layer.mlp.fc2.bias[stream.anchor] += anchor - first


def _write_units(layer: CLIPEncoderLayer, units: Units, stream: Stream) -> None:
    reads, biases, writes = units.weights()
    count = len(units)
    layer.layer_norm2.weight[:] = ANCHOR_LENGTH / stream.scales
    layer.mlp.fc1.weight[:count] = reads
    layer.mlp.fc1.bias[:count] = biases
    written = layer.mlp.fc2.weight
    written[:, :count] = writes * stream.scales[:, None]
    balance(written, stream)
    # This number bears what rounding leaves.
    written[stream.padding] = -written.sum(0)
