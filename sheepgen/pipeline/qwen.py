"""Qwen's language models as text encoders: a prompt is a user's turn in a conversation.

Qwen3 (https://arxiv.org/abs/2505.09388), and what reads text of Qwen2.5-VL
(https://arxiv.org/abs/2502.13923).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from transformers import Qwen2_5_VLTextModel, Qwen2Tokenizer, Qwen3Model

from sheepgen.pipeline.building import running
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.tokens import labels_within, measure_text, unknown_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading

__all__ = [
    "NOT_THINKING",
    "THINKING",
    "QwenTextEncoder",
    "Turn",
    "load_qwen_tokenizer",
    "read_prompt",
]

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
    "rope_scaling",
    "rope_theta",
    "vocab_size",
)

_MODELS: Mapping[str, tuple[type[Any], Sequence[str]]] = {
    "Qwen3Model": (Qwen3Model, ("",)),
    "Qwen3ForCausalLM": (Qwen3Model, ("",)),
    # Without what sees pictures; the names of its weights have changed twice.
    "Qwen2_5_VLForConditionalGeneration": (
        Qwen2_5_VLTextModel,
        ("model.language_model.", "language_model.model.", "model."),
    ),
}
"""What is loaded of a component, by its class, and how the names of the weights of that begin."""


class Turn(NamedTuple):
    """What is put around a prompt, as a model was trained.

    It is what the tokenizer's own template makes of one message; written out, because a template is
    a program, and comes with the model.

    Args:
        before: In front of it.
        after: After it.
    """

    before: str
    after: str


_BEFORE, _AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
THINKING = Turn(_BEFORE, _AFTER)
NOT_THINKING = Turn(_BEFORE, f"{_AFTER}<think>\n\n</think>\n\n")


@dataclass(frozen=True, kw_only=True)
class QwenTextEncoder:
    """A language model that reads one prompt at a time.

    Args:
        tokenizer: Text to token ids.
        model: Token ids to the hidden states of every layer.
        turn: What is put around the prompt.
        limit: Tokens that a prompt is cut to, those around it included.
        pads: Whether a shorter one is padded to as many.
    """

    tokenizer: PreTrainedTokenizerBase
    model: Qwen3Model | Qwen2_5_VLTextModel
    turn: Turn
    limit: int
    pads: bool = True

    @classmethod
    def load(
        cls,
        checkpoint: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
        turn: Turn,
        *,
        limit: int,
        pads: bool = True,
    ) -> Self:
        """Load the model and its tokenizer."""
        model_class, prefixes = _MODELS[checkpoint.classes["text_encoder"]]
        model = load_text_encoder(
            checkpoint, "text_encoder", model_class, _SETTINGS, dtype, prefixes=prefixes
        )
        return cls(
            tokenizer=load_qwen_tokenizer(checkpoint),
            model=model.to(device),
            turn=turn,
            limit=limit,
            pads=pads,
        )

    def hidden_states(self, text: str) -> tuple[Sequence[Tensor], Tensor]:
        """Run the model on a text.

        Returns:
            The states after the embedding and after each layer, (1, tokens, hidden_size), and which
            of the tokens are not padding, (1, tokens).

        Raises:
            ModelError: If the model does not know all of the tokenizer's tokens.
        """
        with running("tokenizer"):
            tokens = self.tokenizer(
                f"{self.turn.before}{text}{self.turn.after}",
                padding="max_length" if self.pads else False,
                max_length=self.limit,
                truncation=True,
                return_tensors="pt",
            )
        ids = tokens.input_ids  # (1, tokens)
        if ids.max() >= self.model.config.vocab_size:
            raise unknown_tokens("text_encoder")
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
        return read_prompt(self.tokenizer, text, self.turn, self.limit)

    def token_labels(
        self, text: str, *, padded: bool = False, skipped: int = 0
    ) -> tuple[TokenLabel, ...]:
        """Return what each of a text's tokens is.

        Args:
            text: A prompt.
            padded: Whether those count that it is padded with.
            skipped: How many in front do not.
        """
        labels = labels_within(
            self.tokenizer,
            text,
            self.limit,
            before=self.turn.before,
            after=self.turn.after,
            padded=padded,
        )
        return tuple(replace(label, position=at) for at, label in enumerate(labels[skipped:]))


def read_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, turn: Turn, limit: int
) -> PromptReading:
    """Return how long a text is, with what is put around it, and which words are not read."""
    return measure_text(tokenizer, text, limit, before=turn.before, after=turn.after)


@lru_cache(maxsize=4)
def load_qwen_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer."""
    return load_tokenizer(checkpoint, "tokenizer", Qwen2Tokenizer)
