"""Gemma 2 (https://arxiv.org/abs/2408.00118) as a text encoder that follows an instruction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from transformers import Gemma2Model, GemmaTokenizer

from sheepgen.pipeline.building import running
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.tokens import labels_within, measure_text, unknown_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading

__all__ = ["GemmaTextEncoder", "InstructedText", "Instruction", "load_gemma_tokenizer"]

_SETTINGS = (
    "attention_bias",
    "attn_logit_softcapping",
    "head_dim",
    "hidden_activation",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "query_pre_attn_scalar",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "use_bidirectional_attention",
    "vocab_size",
)


class Instruction(NamedTuple):
    """What comes before a prompt, and how the prompt is read.

    Args:
        text: In front of the prompt.
        limit: Tokens that both are padded or cut to.
        unseen: How many tokens after the first are left out of what comes of them.
        lower_case: Whether the prompt is read in lower case.
    """

    text: str
    limit: int
    unseen: int = 0
    lower_case: bool = False

    def read_prompt(self, tokenizer: PreTrainedTokenizerBase, text: str) -> PromptReading:
        """Return how long a prompt is, with what is seen of this, and which words are not read."""
        whole = measure_text(
            tokenizer, text, self.limit, before=self.text, lower_case=self.lower_case
        )
        return replace(whole, tokens=whole.tokens - self.unseen, limit=self.limit - self.unseen)

    def token_labels(self, tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[TokenLabel, ...]:
        """Return what each of the tokens is that are seen, the padding included."""
        text = text.lower() if self.lower_case else text
        labels = labels_within(tokenizer, text, self.limit, before=self.text, padded=True)
        seen = (labels[0], *labels[self.unseen + 1 :])
        return tuple(replace(label, position=at) for at, label in enumerate(seen))


InstructedText = tuple[str, Instruction]
"""A prompt, and what is in front of it."""


@dataclass(frozen=True, kw_only=True)
class GemmaTextEncoder:
    """A Gemma 2 that reads one text at a time.

    Args:
        tokenizer: Text to token ids.
        model: Token ids to the hidden states of every layer.
    """

    tokenizer: PreTrainedTokenizerBase
    model: Gemma2Model

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Self:
        """Load the model and its tokenizer."""
        model = load_text_encoder(
            checkpoint, "text_encoder", Gemma2Model, _SETTINGS, dtype, prefixes=("model.", "")
        )
        return cls(tokenizer=load_gemma_tokenizer(checkpoint), model=model.to(device))

    def hidden_states(self, text: str, instruction: Instruction) -> tuple[Sequence[Tensor], Tensor]:
        """Run the model on a text.

        Returns:
            The states after the embedding and after each layer, (1, limit, hidden_size), and the
            mask, (1, limit), 1 for tokens that are not padding.

        Raises:
            ModelError: If the model does not know all of the tokenizer's tokens.
        """
        with running("tokenizer"):
            tokens = self.tokenizer(
                instruction.text + (text.lower().strip() if instruction.lower_case else text),
                padding="max_length",
                padding_side="right",
                max_length=instruction.limit,
                truncation=True,
                return_tensors="pt",
            )
        if tokens.input_ids.max() >= self.model.config.vocab_size:
            raise unknown_tokens("text_encoder")
        ids, mask = (
            each.to(self.model.device) for each in (tokens.input_ids, tokens.attention_mask)
        )
        with running("text_encoder"):
            encoded: Any = self.model(
                input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False
            )
        return encoded.hidden_states, mask


@lru_cache(maxsize=4)
def load_gemma_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer."""
    return load_tokenizer(checkpoint, "tokenizer", GemmaTokenizer)
