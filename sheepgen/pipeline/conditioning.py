"""From words to what the U-Net attends to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.errors import ModelError
from sheepgen.pipeline.building import running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.pipeline.parts import PipelineParts

__all__ = [
    "EncodePrompt",
    "PromptEmbeds",
    "count_tokens",
    "encode_prompt",
    "join_embeds",
    "truncated_words",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptEmbeds:
    """Encoded prompts, each (batch, encoded_tokens, hidden_size); the negative if guided."""

    prompt_embeds: Tensor
    negative_prompt_embeds: Tensor | None


EncodePrompt = Callable[[str, str | None], PromptEmbeds]
"""`encode_prompt` for one model, which may remember what it has encoded."""


def count_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    """Return how many tokens ``text`` takes, special tokens included."""
    with running("tokenizer"):
        return len(tokenizer(text, verbose=False).input_ids)


def truncated_words(
    tokenizer: PreTrainedTokenizerBase, text: str, max_tokens: int
) -> tuple[str, ...]:
    """Return the words at the end of ``text`` that the model does not read, or not whole.

    Args:
        tokenizer: Any that splits at white space first, as CLIP's does.
        text: A prompt.
        max_tokens: What the text encoder takes, special tokens included.
    """
    words = list(re.finditer(r"\S+", text))
    # Counting beginnings of the text needs no offsets, which not every tokenizer gives.
    fitting = bisect_right(
        words, max_tokens, key=lambda word: count_tokens(tokenizer, text[: word.end()])
    )
    return tuple(word.group() for word in words[fitting:])


@torch.inference_mode()
def encode_prompt(parts: PipelineParts, prompt: str, negative_prompt: str | None) -> PromptEmbeds:
    """Encode the prompts as diffusers' pipeline does, one at a time.

    But a text encoder's own tokens, if it has any after the prompt's, are never the prompt's.

    Args:
        parts: The model.
        prompt: What to draw; what does not fit is cut off.
        negative_prompt: What to keep away from, or None where there is no guidance.
    """
    return PromptEmbeds(
        prompt_embeds=_encode(parts, prompt),
        negative_prompt_embeds=None if negative_prompt is None else _encode(parts, negative_prompt),
    )


def join_embeds(embeds: Sequence[PromptEmbeds]) -> PromptEmbeds:
    """Put the prompts of several images into one batch; all are guided, or none is."""
    negatives = [
        each.negative_prompt_embeds for each in embeds if each.negative_prompt_embeds is not None
    ]
    return PromptEmbeds(
        prompt_embeds=torch.cat([each.prompt_embeds for each in embeds]),
        negative_prompt_embeds=torch.cat(negatives) if negatives else None,
    )


def _encode(parts: PipelineParts, text: str) -> Tensor:
    with running("tokenizer"):
        tokens = parts.tokenizer(
            text,
            padding="max_length",
            max_length=parts.spec.max_tokens,
            truncation=True,
            return_tensors="pt",
        )
    further = (0, parts.spec.encoded_tokens - parts.spec.max_tokens)
    ids = functional.pad(tokens.input_ids, further, value=parts.tokenizer.pad_token_id)
    seen = functional.pad(tokens.attention_mask, further)
    # On some devices the text encoder would not fail over them, but take the whole process along.
    if ids.min() < 0 or ids.max() >= parts.text_encoder.config.vocab_size:
        raise ModelError(
            "The model's tokenizer has tokens that its text_encoder does not know.",
            "They come from different models.",
        )
    # CLIP was trained to attend to the padding, BERT was not; the model's config knows.
    masked = getattr(parts.text_encoder.config, "use_attention_mask", False)
    with running("text_encoder"):
        embeds: Tensor = parts.text_encoder(
            ids.to(parts.device),
            attention_mask=seen.to(parts.device) if masked else None,
        )[0]
    return embeds.to(parts.dtype)
