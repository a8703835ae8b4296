"""The whole text encoder tells of prompts what the states say that it should."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sheepgen.training.data.captions import plain_caption
from sheepgen.training.data.scene import Scene
from sheepgen.training.text_encoder.attributes import facts_of
from sheepgen.training.text_encoder.compile import unfold
from sheepgen.training.text_encoder.memory_tokens import PARTS, SLOTS
from sheepgen.training.text_encoder.prompt_parser import SLOT_PLACES
from sheepgen.training.text_encoder.residual_layout import REGION_SCALE, Stream
from sheepgen.training.text_encoder.tokenizer import build_tokenizer
from sheepgen.training.text_encoder.train_parser import build_trunk
from tests.training.text_fakes import (
    CAPTIONS,
    CONFIG,
    NAMES,
    WORDS,
    knowing_trunk,
    random_states,
)

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    return build_tokenizer(CAPTIONS * 10, [], CONFIG)


def ids_of(tokenizer: CLIPTokenizer, prompt: str) -> torch.Tensor:
    ids: torch.Tensor = tokenizer(
        prompt, padding="max_length", truncation=True, return_tensors="pt"
    )["input_ids"]
    return ids


SCENES = [
    Scene(kind="single", subject="sheep", style="noto", colour="red"),
    Scene(kind="single", subject="motorcycle", style="fluent-emoji-flat", place="moon"),
    Scene(kind="riding", subject="cat", other="motorcycle", style="noto", other_colour="blue"),
    Scene(kind="next_to", subject="cat", other="sheep", style="fluent-emoji"),
    Scene(kind="several", subject="cat", count=3, style="fluent-emoji-flat", time="night"),
    Scene(kind="digits", subject="42", background="green"),
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: plain_caption(scene))
def test_slots_are_told_what_things_look_like(tokenizer: CLIPTokenizer, scene: Scene) -> None:
    scene = replace(scene, caption=plain_caption(scene))
    states = random_states()
    encoder = unfold(knowing_trunk(tokenizer, scene), states, tokenizer)
    ids = ids_of(tokenizer, "a sheep")
    with torch.inference_mode():
        told = encoder(ids)[0][0, :, : states.layout.width]
    (expected,) = states.of([scene])
    assert torch.allclose(told[-SLOTS:], expected[-SLOTS:], atol=0.02)
    assert told[:3].abs().max() < 1e-3
    padding = told[4:-SLOTS, : states.layout.facts.start]
    assert padding.abs().max() < 1e-3
    assert torch.allclose(told[4, states.layout.facts], facts_of(scene), atol=0.01)


@pytest.mark.parametrize("rest", [-0.9, 0.9])
def test_what_rounding_leaves_does_not_matter(tokenizer: CLIPTokenizer, rest: float) -> None:
    scene = SCENES[3]
    trunk, states = knowing_trunk(tokenizer, scene), random_states()
    stream = Stream.of(trunk, states.looks, states.layout)
    encoder = unfold(trunk, states, tokenizer)

    def leave_rests(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        for part, sign in zip(PARTS, (1, -1), strict=True):
            slots = inputs[0][0, -SLOTS:][part.slots]
            left = sign * rest * stream.scales[stream.padding]
            slots[:, stream.padding] += left
            slots[:, stream.anchor] -= left / 2

    encoder.encoder.layers[len(trunk.perceptrons) + 3].register_forward_pre_hook(leave_rests)
    with torch.inference_mode():
        told = encoder(ids_of(tokenizer, "a cat"))[0][0, -SLOTS:, : states.layout.width]
    assert torch.allclose(told, states.of([scene])[0, -SLOTS:], atol=0.02)


def test_who_knows_nothing_tells_nothing(tokenizer: CLIPTokenizer) -> None:
    states = random_states()
    encoder = unfold(knowing_trunk(tokenizer, None), states, tokenizer)
    with torch.inference_mode():
        told = encoder(ids_of(tokenizer, ""))[0][0, :, : states.layout.width]
    assert told.abs().max() < 1e-3


def test_the_config_says_how_many_tokens_are_the_prompts(
    tokenizer: CLIPTokenizer, tmp_path: Path
) -> None:
    unfold(knowing_trunk(tokenizer, None), random_states(), tokenizer).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert config["prompt_tokens"] == WORDS
    assert config["max_position_embeddings"] == WORDS + SLOTS


def test_the_trunk_computes_in_wider_states_what_it_did(tokenizer: CLIPTokenizer) -> None:
    trunk = build_trunk(tokenizer, NAMES, None, CONFIG)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in trunk.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.3)
    states = random_states()
    stream = Stream.of(trunk, states.looks, states.layout)
    encoder = unfold(trunk, states, tokenizer)
    seen: list[torch.Tensor] = []

    def look(_: Any, inputs: tuple[torch.Tensor], __: Any) -> None:
        seen.append(inputs[0][..., stream.thought] / REGION_SCALE)

    encoder.encoder.layers[len(trunk.perceptrons)].layer_norm2.register_forward_hook(look)
    ids = ids_of(tokenizer, "a sheep at night")
    at = [*range(WORDS), WORDS + 3, WORDS + 300, WORDS + SLOTS - 1]
    with torch.inference_mode():
        encoder(ids)
        expected = trunk(ids[:, at], torch.arange(WORDS + SLOT_PLACES))
    error = (seen[0][:, at] - expected).square().mean().sqrt()
    # As much as float16 rounds.
    assert error < 2e-3 * expected.square().mean().sqrt()
