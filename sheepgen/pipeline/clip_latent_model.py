"""What models with a U-Net on latents share whose prompts CLIP encodes: Stable Diffusion 1, 2, XL.

A prompt may be in chunks, have weights, and be read from an earlier layer than the last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from sheepgen.pipeline.chunk_tokens import label_prompt, measure_prompt
from sheepgen.pipeline.clip import encode_chunk
from sheepgen.pipeline.latent_model import LatentModel
from sheepgen.pipeline.prompt_chunks import apply_weights, fill_up, split_prompt, with_chunks
from sheepgen.pipeline.text_cache import TextCache
from sheepgen.pipeline.weighted_sum import weighted_sum
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import CLIPTextModel, PreTrainedTokenizerBase

    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["ClipLatentModel", "EncodedText", "encode_prompt"]


class EncodedText(NamedTuple):
    """What text encoders make of one text.

    Args:
        states: What the U-Net attends to, (1, tokens, width).
        pooled: Summary of the text without weights, (1, projection_dim): of its first chunk.
    """

    states: Tensor
    pooled: Tensor


@dataclass(frozen=True, kw_only=True)
class ClipLatentModel(LatentModel, ABC):
    """A latent model whose prompts are split into tokens, and encoded, by CLIP.

    Args:
        tokenizer: Prompt to token ids.
        text_encoder: Token ids to hidden states, (batch, tokens, hidden_size).
    """

    tokenizer: PreTrainedTokenizerBase
    text_encoder: CLIPTextModel
    _encoded: TextCache[EncodedText] = field(
        default_factory=TextCache, init=False, repr=False, compare=False
    )

    def read_prompt(self, text: str, form: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_prompt(self.tokenizer, text, self.spec.max_tokens, form)

    def token_labels(self, prompt: str, form: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the encoded tokens stand for."""
        return label_prompt(self.tokenizer, prompt, self.spec.max_tokens, form)

    def encode_cached(self, text: str, request: ResolvedRequest) -> EncodedText:
        """Return what a text of a request becomes, from memory if it is there."""
        key = text, request.prompt_format, request.clip_skip
        if (encoded := self._encoded.get(key)) is not None:
            return encoded
        encoded = self._encode_text(*key)
        chunks = encoded.states.shape[1] // self.spec.max_tokens
        return self._encoded.keep(key, encoded, chunks)

    def encode_prompts(self, request: ResolvedRequest) -> EncodedText:
        """Return the weighted sum of a request's prompts, the shorter with empty chunks after."""
        texts = [self.encode_cached(text, request) for text, _ in request.prompts]
        longest = max(text.states.shape[1] for text in texts)
        if any(text.states.shape[1] < longest for text in texts):
            empty = self.encode_cached("", request).states
            texts = [
                text._replace(states=with_chunks(text.states, empty, longest)) for text in texts
            ]
        return weighted_sum(
            (text, weight) for text, (_, weight) in zip(texts, request.prompts, strict=True)
        )

    def join(
        self, passes: Sequence[Sequence[EncodedText]], request: ResolvedRequest
    ) -> tuple[Tensor, Tensor | None]:
        """Return the states of a batch, and what of them to attend to.

        Args:
            passes: The texts of each pass, those of the negative prompts first if there are two.
            request: One of the batch.

        Returns:
            As `sheepgen.pipeline.prompt_chunks.fill_up`.
        """
        states = [[text.states for text in texts] for texts in passes]
        if len({each.shape[1] for each in chain.from_iterable(states)}) == 1:
            return torch.cat([*chain.from_iterable(states)]), None
        return fill_up(states, self.encode_cached("", request).states)

    @abstractmethod
    def _encode_text(self, text: str, form: PromptFormat, clip_skip: int) -> EncodedText:
        """Return what a text becomes in this family."""


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase,
    text_encoder: Any,  # noqa: ANN401
    text: str,
    form: PromptFormat,
    *,
    limit: int,
    layer: int = 1,
    normalised: bool = True,
    component: str = "text_encoder",
) -> EncodedText:
    """Run a text encoder on one text, one chunk after the other.

    Args:
        tokenizer: Text to token ids.
        text_encoder: Token ids to embeddings.
        text: What is to be encoded.
        form: How it is read.
        limit: Tokens of a chunk.
        layer: Which layer's states are wanted, counted from the last.
        normalised: Whether the layer norm after the last layer is applied to those of another one.
        component: The text encoder's name, for messages.

    Returns:
        In the text encoder's dtype.

    Raises:
        ModelError: If the text encoder does not know all of the tokenizer's tokens.
    """
    states: list[Tensor] = []
    pooled: list[Tensor] = []
    for chunk in split_prompt(tokenizer, text, limit, form):
        output = encode_chunk(text_encoder, chunk, component=component, hidden_states=layer > 1)
        if layer == 1:
            chosen = output.last_hidden_state  # (1, limit, hidden_size)
        else:
            chosen = output.hidden_states[-layer]
            if normalised:
                # Where it is depends on the version of transformers.
                inner = getattr(text_encoder, "text_model", text_encoder)
                chosen = inner.final_layer_norm(chosen)
        states.append(apply_weights(chosen, chunk.weights))
        pooled.append(output.text_embeds if "text_embeds" in output else output.pooler_output)
    return EncodedText(torch.cat(states, dim=1), pooled[0])
