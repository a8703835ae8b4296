"""Queries and keys are those that diffusers' processors attend with: they give their outputs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor

from sheepgen.models.resolve import find_model
from sheepgen.pipeline.attention_inputs import AttentionCall, attends_to_text, attention_inputs
from sheepgen.pipeline.attention_maps import record_attention
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.pipeline.token_groups import TokenGroup
from sheepgen.request import GenerationRequest
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_pixart import save_tiny_pixart
from tests.tiny_sana import save_tiny_sana
from tests.tiny_sd3 import save_tiny_sd3

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

REQUEST = GenerationRequest(
    prompt="a red sheep",
    seed=7,
    num_inference_steps=1,
    guidance_scale=4.0,
    width=64,
    height=32,
)


class Spy:
    """Attends as the original does, and keeps what it is given and what comes out."""

    def __init__(self, original: Any) -> None:
        self.original = original
        self.call: AttentionCall
        self.output: Tensor

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *more: Any,
    ) -> Any:
        self.call = AttentionCall(attn, hidden_states, encoder_hidden_states, attention_mask, more)
        output = self.original(*self.call[:4], *more)
        self.output = output[0] if isinstance(output, tuple) else output  # of the image
        return output

    def value(self) -> Tensor:
        """Return what is attended to, (images, heads, keys, width)."""
        attn, hidden, context = self.call[:3]
        if attn.added_kv_proj_dim is not None:  # joint attention, in two streams
            both = [attn.to_v(hidden), attn.add_v_proj(context)]
            comes_first = isinstance(self.original, FluxAttnProcessor)  # the text
            value = torch.cat(both[::-1] if comes_first else both, dim=1)
        else:
            value = attn.to_v(hidden if context is None else context)
        split: Tensor = value.reshape(*value.shape[:2], attn.heads, -1)
        return split.transpose(1, 2)


@pytest.mark.parametrize(
    ("save", "layers"),
    [
        (save_tiny_pixart, 2),
        (save_tiny_sana, 2),
        (partial(save_tiny_sana, qk_norm="rms_norm_across_heads"), 2),
        (save_tiny_sd3, 2),
        (save_tiny_flux1, 3),
    ],
    ids=["pixart", "sana", "sana with norms", "sd3", "flux1"],
)
def test_the_recorded_softmax_gives_the_processors_output(
    save: Callable[[Path], Path], layers: int, tmp_path: Path
) -> None:
    model: Any = load_model(find_model(str(save(tmp_path / "model"))), device="cpu", dtype="fp32")
    network = model.transformer
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for name, weight in network.named_parameters():
            if "norm" in name and weight.ndim == 1:  # fresh norms are 1 and would commute
                weight.uniform_(0.5, 1.5)
    spies = {
        name: Spy(processor)
        for name, processor in network.attn_processors.items()
        if attends_to_text(network.get_submodule(name.removesuffix(".processor")))
    }
    assert len(spies) == layers
    conditioning = model.encode([model.spec.resolve(REQUEST)])
    states = getattr(conditioning, "states", None)
    tokens = (conditioning.prompts.states if states is None else states).shape[1]
    every_token = [TokenGroup(text=str(at), kind="word", positions=[at]) for at in range(tokens)]
    with record_attention(model, [every_token]) as maps:
        generate(model, REQUEST)
    network.set_attn_processor({**network.attn_processors, **spies})
    generate(model, REQUEST)
    with torch.no_grad():
        for name, spy in spies.items():
            inputs = attention_inputs(spy.original, spy.call, tokens)
            logits = inputs.query @ inputs.key.mT * inputs.query.shape[-1] ** -0.5
            if spy.call.attention_mask is not None:
                logits = logits + spy.call.attention_mask[:, None]
            weights = logits.softmax(-1)  # (images, heads, positions, keys)
            attn, attended = spy.call.attn, (weights @ spy.value()).transpose(1, 2).flatten(2)
            if hasattr(attn, "to_out"):
                attended = attn.to_out[0](attended)
            output = spy.output[:, -attended.shape[1] :]  # after the text, in one stream
            torch.testing.assert_close(attended, output, rtol=1e-5, atol=1e-5)
            found = maps.layers[name.removesuffix(".processor")][0].flatten(1)
            expected = weights[-1, ..., inputs.text].mean(0).T
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
