"""Prompts are encoded as diffusers does, and what does not fit is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.pipeline.conditioning import count_tokens, encode_prompt, truncated_words
from tests.pipeline.reference import reference_pipeline
from tests.tiny import tiny_tokenizer

if TYPE_CHECKING:
    from sheepgen.pipeline.parts import PipelineParts

CLIP = tiny_tokenizer()


@pytest.mark.parametrize("prompt", ["", "a red sheep", "sheep " * 40, "Ünïcödé 羊 🐑"])
def test_embeds_are_diffusers(tiny_parts: PipelineParts, prompt: str) -> None:
    pipeline = reference_pipeline(tiny_parts, "ddim")
    with torch.no_grad():
        theirs = pipeline.encode_prompt(prompt, "cpu", 1, True, "mud")
    ours = encode_prompt(tiny_parts, prompt, "mud")
    assert ours.negative_prompt_embeds is not None
    assert torch.equal(ours.prompt_embeds, theirs[0])
    assert torch.equal(ours.negative_prompt_embeds, theirs[1])


def test_tokens_that_a_text_encoder_keeps_for_itself_are_no_prompts(
    tiny_parts: PipelineParts,
) -> None:
    kept = replace(tiny_parts, spec=replace(tiny_parts.spec, max_tokens=5))
    longest, longer = "red sheep of", "red sheep of red red"
    told = [encode_prompt(kept, text, None).prompt_embeds for text in (longest, longer)]
    assert torch.equal(*told)
    # Padded as far as it would be anyway.
    assert torch.equal(told[0], encode_prompt(tiny_parts, longest, None).prompt_embeds)


def test_without_guidance_one_prompt_is_encoded(tiny_parts: PipelineParts) -> None:
    assert encode_prompt(tiny_parts, "a red sheep", None).negative_prompt_embeds is None


@pytest.mark.parametrize(("text", "tokens"), [("", 2), ("sheep", 3), ("red sheep", 4)])
def test_counts(text: str, tokens: int) -> None:
    assert count_tokens(CLIP, text) == tokens


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
    assert truncated_words(CLIP, text, max_tokens) == lost


@given(st.lists(st.sampled_from(["red", "sheep", "zebra", "of", "羊羊"]), max_size=12))
def test_what_is_left_fits_and_one_more_word_would_not(words: list[str]) -> None:
    lost = truncated_words(CLIP, " ".join(words), 16)
    kept = words[: len(words) - len(lost)]
    assert words == [*kept, *lost]
    assert count_tokens(CLIP, " ".join(kept)) <= 16
    if lost:
        assert count_tokens(CLIP, " ".join([*kept, lost[0]])) > 16
