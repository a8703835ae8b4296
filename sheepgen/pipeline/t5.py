"""T5's encoder, which reads a prompt as a text and not as a picture's caption.

https://arxiv.org/abs/1910.10683. Prompts are padded to a fixed length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from transformers import T5EncoderModel, T5Tokenizer

from sheepgen.models.json_file import MAX_BYTES
from sheepgen.pipeline.building import component_errors, running
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.sentencepiece import parse_sentencepieces
from sheepgen.pipeline.tokens import measure_text, token_labels, unknown_tokens
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading

__all__ = ["T5TextEncoder", "load_t5_tokenizer"]

_SETTINGS = (
    "d_ff",
    "d_kv",
    "d_model",
    "feed_forward_proj",
    "layer_norm_epsilon",
    "num_heads",
    "num_layers",
    "relative_attention_max_distance",
    "relative_attention_num_buckets",
    "vocab_size",
)

_MASKS = 100
"""Tokens for missing words that a T5 has after those of its vocabulary."""


@dataclass(frozen=True, kw_only=True)
class T5TextEncoder:
    """A T5 encoder that reads one prompt at a time.

    Args:
        tokenizer: Text to token ids.
        model: Token ids to hidden states.
        component: Name of the model's component, for messages.
        limit: Tokens that a prompt is padded or cut to.
        reads_padding: Whether it attends to the padding.
        lower_case: Whether it is given prompts in lower case.
    """

    tokenizer: PreTrainedTokenizerBase
    model: T5EncoderModel
    component: str
    limit: int
    reads_padding: bool = True
    lower_case: bool = False

    @classmethod
    def load(
        cls,
        checkpoint: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
        *,
        suffix: str,
        limit: int,
        reads_padding: bool = True,
        lower_case: bool = False,
    ) -> Self:
        """Load the model and its tokenizer; both components' names end in a suffix."""
        component = f"text_encoder{suffix}"
        model = load_text_encoder(checkpoint, component, T5EncoderModel, _SETTINGS, dtype)
        return cls(
            tokenizer=load_t5_tokenizer(checkpoint, suffix),
            model=model.to(device),
            component=component,
            limit=limit,
            reads_padding=reads_padding,
            lower_case=lower_case,
        )

    def encode(self, text: str) -> tuple[Tensor, Tensor]:
        """Return the hidden states of a text, (1, tokens, d_model), and its mask, (1, tokens).

        The mask is 1 for tokens that are not padding.

        Raises:
            ModelError: If the model does not know all of the tokenizer's tokens.
        """
        with running("tokenizer"):
            tokens = self.tokenizer(
                text.lower() if self.lower_case else text,
                padding="max_length",
                max_length=self.limit,
                truncation=True,
                return_tensors="pt",
            )
        ids, mask = tokens.input_ids, tokens.attention_mask  # (1, limit) each
        if ids.max() >= self.model.config.vocab_size:
            raise unknown_tokens(self.component)
        device = self.model.device
        with running(self.component):
            states: Tensor = self.model(
                ids.to(device), attention_mask=None if self.reads_padding else mask.to(device)
            )[0]
        return states, mask

    def read_prompt(self, text: str) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_text(self.tokenizer, text, self.limit, lower_case=self.lower_case)

    def token_labels(self, text: str) -> tuple[TokenLabel, ...]:
        """Return what each of a text's tokens is, the padding included."""
        text = text.lower() if self.lower_case else text
        return token_labels(self.tokenizer, text, self.limit, begins=False)


@lru_cache(maxsize=4)
def load_t5_tokenizer(checkpoint: Checkpoint, suffix: str) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer, whose name ends in a suffix."""
    component = f"tokenizer{suffix}"
    folder = checkpoint.folder / component
    if (folder / "tokenizer.json").exists():
        return load_tokenizer(checkpoint, component, T5Tokenizer)
    with component_errors(component):
        content = read_untrusted(folder / "spiece.model", max_bytes=MAX_BYTES)
        pieces, rules = parse_sentencepieces(content)
        # Masks of missing words come last, in reverse.
        masks = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(_MASKS))]
        return T5Tokenizer(
            vocab=[*pieces, *masks], extra_ids=_MASKS, _spm_precompiled_charsmap=rules or None
        )
