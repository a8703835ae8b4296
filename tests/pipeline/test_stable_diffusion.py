"""Prompts are encoded as diffusers does, and what does not fit is reported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTextModel

from sheepgen.pipeline.stable_diffusion import read_prompt
from sheepgen.pipeline.tokens import measure_text
from sheepgen.request import GenerationRequest
from tests.pipeline.reference import reference_pipeline
from tests.tiny import MAX_TOKENS, tiny_tokenizer

if TYPE_CHECKING:
    from sheepgen.pipeline.latent_model import TextEmbeds
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

CLIP = tiny_tokenizer()


def encode(model: StableDiffusionModel, prompt: str, **fields: Any) -> TextEmbeds:
    request = GenerationRequest(prompt=prompt, seed=1, **fields)
    return model.encode([model.spec.resolve(request)])


@pytest.mark.parametrize("prompt", [".", "a red sheep", "sheep " * 40, "Ünïcödé 羊 🐑"])
def test_embeds_are_diffusers(tiny_parts: StableDiffusionModel, prompt: str) -> None:
    pipeline = reference_pipeline(tiny_parts, "ddim")
    with torch.no_grad():
        theirs = pipeline.encode_prompt(prompt, "cpu", 1, True, "mud")
        blank = pipeline.encode_prompt(prompt, "cpu", 1, True, "")
    ours = encode(tiny_parts, prompt, negative_prompt="mud")
    assert ours.guided
    assert torch.equal(ours.hidden_states, torch.cat([theirs[1], theirs[0]]))
    assert torch.equal(encode(tiny_parts, prompt).hidden_states[:1], blank[1])


def test_a_batch_is_its_images_side_by_side(tiny_parts: StableDiffusionModel) -> None:
    prompts = ("a red sheep", "a zebra")
    requests = [
        tiny_parts.spec.resolve(GenerationRequest(prompt=prompt, seed=1)) for prompt in prompts
    ]
    together = tiny_parts.encode(requests).hidden_states
    alone = [encode(tiny_parts, prompt).hidden_states for prompt in prompts]
    negative, positive = together.chunk(2)
    for number, each in enumerate(alone):
        assert torch.equal(torch.stack([negative[number], positive[number]]), each)


def test_without_guidance_one_prompt_is_encoded(tiny_parts: StableDiffusionModel) -> None:
    alone = encode(tiny_parts, "a red sheep", negative_prompt="mud", guidance_scale=1.0)
    assert not alone.guided
    guided = encode(tiny_parts, "a red sheep", negative_prompt="mud")
    assert torch.equal(alone.hidden_states, guided.hidden_states[1:])


def test_texts_are_encoded_once_and_not_kept_for_ever(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = replace(tiny_parts)
    encoded: list[None] = []
    forward = CLIPTextModel.forward

    def counted(*arguments: Any, **settings: Any) -> Any:
        encoded.append(None)
        return forward(*arguments, **settings)

    monkeypatch.setattr(CLIPTextModel, "forward", counted)
    first = encode(model, "a red sheep").hidden_states
    assert len(encoded) == 2
    assert torch.equal(encode(model, "a red sheep").hidden_states, first)
    assert len(encoded) == 2
    for number in range(100):
        encode(model, f"{number} sheep", guidance_scale=1.0)
    encode(model, "a red sheep", guidance_scale=1.0)
    assert len(encoded) == 103


@pytest.mark.parametrize(("text", "tokens"), [("", 2), ("sheep", 3), ("red sheep", 4)])
def test_counts(tiny_parts: StableDiffusionModel, text: str, tokens: int) -> None:
    assert tiny_parts.read_prompt(text).tokens == tokens
    assert read_prompt(tiny_parts.spec, text) == tiny_parts.read_prompt(text)


@pytest.mark.parametrize(
    ("text", "max_tokens", "lost"),
    [
        ("", 4, ()),
        ("red sheep", 4, ()),
        ("red sheep of red", 4, ("of", "red")),
        ("red\n sheep\tof  red ", 5, ("red",)),
        ("red zebra", 4, ("zebra",)),
        ("red sheep", 2, ("red", "sheep")),
    ],
)
def test_words_that_fall_off(text: str, max_tokens: int, lost: tuple[str, ...]) -> None:
    assert measure_text(CLIP, text, max_tokens).truncated == lost


@given(st.lists(st.sampled_from(["red", "sheep", "zebra", "of", "羊羊"]), max_size=12))
def test_what_is_left_fits_and_one_more_word_would_not(words: list[str]) -> None:
    lost = measure_text(CLIP, " ".join(words), 16).truncated
    kept = words[: len(words) - len(lost)]
    assert words == [*kept, *lost]
    assert measure_text(CLIP, " ".join(kept), 16).tokens <= 16
    if lost:
        assert measure_text(CLIP, " ".join([*kept, lost[0]]), 16).tokens > 16


def test_labels_say_which_token_is_of_which_word(tiny_parts: StableDiffusionModel) -> None:
    labels = tiny_parts.token_labels(" red  cow ")
    assert [label.position for label in labels] == list(range(MAX_TOKENS))
    assert [label.kind for label in labels] == [
        "special",
        *["word"] * 4,
        "special",
        *["padding"] * (MAX_TOKENS - 6),
    ]
    words = [(label.text, label.word) for label in labels if label.kind == "word"]
    assert words == [("red</w>", 0), ("c", 1), ("o", 1), ("w</w>", 1)]
    assert (labels[0].text, labels[5].text) == ("<|startoftext|>", "<|endoftext|>")


def test_labels_of_a_prompt_that_is_cut_off(tiny_parts: StableDiffusionModel) -> None:
    labels = tiny_parts.token_labels("sheep " * 40)
    assert [label.word for label in labels] == [None, *range(MAX_TOKENS - 2), None]
    assert labels[-1].kind == "special"
