"""Qwen3 language models as text encoders: a prompt is a user's turn in a conversation.

https://arxiv.org/abs/2505.09388.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from transformers import Qwen2Tokenizer, Qwen3Model

from sheepgen.errors import ModelError
from sheepgen.pipeline.building import running
from sheepgen.pipeline.family import TokenLabel
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.tokens import measure_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.prompt_reading import PromptReading

__all__ = ["NOT_THINKING", "THINKING", "QwenTextEncoder", "load_qwen_tokenizer", "read_prompt"]

_SETTINGS = (
    "attention_bias",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "rope_theta",
    "vocab_size",
)

# What the tokenizer's own template makes of one message. It is written out because a template is a
# program, and comes with the model.
_BEFORE = "<|im_start|>user\n"
THINKING = "<|im_end|>\n<|im_start|>assistant\n"
NOT_THINKING = f"{THINKING}<think>\n\n</think>\n\n"


@dataclass(frozen=True, kw_only=True)
class QwenTextEncoder:
    """A language model that reads one prompt at a time.

    Args:
        tokenizer: Text to token ids.
        model: Token ids to the hidden states of every layer.
        limit: Tokens that a prompt is padded or cut to, those around it included.
        after: What it is given after the prompt: `THINKING` or `NOT_THINKING`, as it was trained.
    """

    tokenizer: PreTrainedTokenizerBase
    model: Qwen3Model
    limit: int
    after: str

    @classmethod
    def load(
        cls,
        checkpoint: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
        *,
        limit: int,
        after: str,
    ) -> Self:
        """Load the model and its tokenizer."""
        model = load_text_encoder(checkpoint, "text_encoder", Qwen3Model, _SETTINGS, dtype)
        return cls(
            tokenizer=load_qwen_tokenizer(checkpoint),
            model=model.to(device),
            limit=limit,
            after=after,
        )

    def hidden_states(self, text: str) -> tuple[Sequence[Tensor], Tensor]:
        """Run the model on a text.

        Returns:
            The states after the embedding and after each layer, (1, tokens, hidden_size), and which
            of the tokens are no padding, (1, tokens).

        Raises:
            ModelError: If the model does not know all of the tokenizer's tokens.
        """
        with running("tokenizer"):
            tokens = self.tokenizer(
                f"{_BEFORE}{text}{self.after}",
                padding="max_length",
                max_length=self.limit,
                truncation=True,
                return_tensors="pt",
            )
        ids = tokens.input_ids  # (1, limit)
        if ids.max() >= self.model.config.vocab_size:
            raise ModelError(
                "The model's tokenizer has tokens that its text_encoder does not know.",
                "They come from different models.",
            )
        mask = tokens.attention_mask.to(self.model.device).bool()
        with running("text_encoder"):
            encoded: Any = self.model(
                input_ids=ids.to(self.model.device),
                attention_mask=mask,
                output_hidden_states=True,
                use_cache=False,
            )
        return encoded.hidden_states, mask

    def read_prompt(self, text: str) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return read_prompt(self.tokenizer, text, self.limit, after=self.after)

    def token_labels(self, text: str, *, padded: bool = False) -> tuple[TokenLabel, ...]:
        """Return what each of a text's tokens is, with or without those it is padded with."""
        with running("tokenizer"):
            ids = self.tokenizer(
                f"{_BEFORE}{text}{self.after}", max_length=self.limit, truncation=True
            ).input_ids
        pieces = self.tokenizer.convert_ids_to_tokens(ids)
        first = self._count(_BEFORE)
        ends = [self._count(_BEFORE + text[: word.end()]) for word in re.finditer(r"\S+", text)]
        last = ends[-1] if ends else first
        labels = [
            TokenLabel(position=at, kind="word", text=piece, word=bisect_right(ends, at))
            if first <= at < last
            else TokenLabel(position=at, kind="special", text=piece)
            for at, piece in enumerate(pieces)
        ]
        if padded:
            padding = self.tokenizer.pad_token
            labels += [
                TokenLabel(position=at, kind="padding", text=padding)
                for at in range(len(labels), self.limit)
            ]
        return tuple(labels)

    def _count(self, text: str) -> int:
        with running("tokenizer"):
            return len(self.tokenizer(text, verbose=False).input_ids)


def read_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, limit: int, *, after: str
) -> PromptReading:
    """Return how long a text is, with what is put around it, and which words are not read."""
    return measure_text(tokenizer, text, limit, before=_BEFORE, after=after)


@lru_cache(maxsize=4)
def load_qwen_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer."""
    return load_tokenizer(checkpoint, "tokenizer", Qwen2Tokenizer)
