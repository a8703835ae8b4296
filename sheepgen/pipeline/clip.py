"""CLIP's text encoders and their tokenizers: loaded, and run on one text at a time.

https://arxiv.org/abs/2103.00020. A text is padded, or cut off, to as many tokens as were trained.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from transformers import CLIPTokenizer

from sheepgen.errors import ModelError
from sheepgen.pipeline.building import running
from sheepgen.pipeline.embeddings import with_embeddings
from sheepgen.pipeline.latent_model import LatentModel
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.tokens import measure_text, token_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from transformers import CLIPTextModel, PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import TokenLabel
    from sheepgen.prompt_reading import PromptReading

__all__ = ["ClipLatentModel", "TextCache", "encode_text", "load_clip", "read_prompt"]

_SETTINGS = (
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "projection_dim",
    "use_attention_mask",
    "vocab_size",
)

_CACHED_TEXTS = 64
"""Encoded texts that a model keeps: 15 MB for Stable Diffusion 1, 40 MB for XL."""

_Encoded = TypeVar("_Encoded")


class TextCache(Generic[_Encoded]):
    """The texts that were encoded last, and what they became."""

    def __init__(self) -> None:
        self._encoded: OrderedDict[str, _Encoded] = OrderedDict()

    def get(self, text: str) -> _Encoded | None:
        """Return what a text became, or None if that is not kept."""
        if text in self._encoded:
            self._encoded.move_to_end(text)
        return self._encoded.get(text)

    def keep(self, text: str, encoded: _Encoded) -> _Encoded:
        """Keep and return what a text became, and forget the one that was longest not asked for."""
        self._encoded[text] = encoded
        if len(self._encoded) > _CACHED_TEXTS:
            self._encoded.popitem(last=False)
        return encoded


@dataclass(frozen=True, kw_only=True)
class ClipLatentModel(LatentModel):
    """A latent model whose prompts are split into tokens, and encoded, by CLIP.

    Args:
        tokenizer: Prompt to token ids.
        text_encoder: Token ids to hidden states, (batch, tokens, hidden_size).
    """

    tokenizer: PreTrainedTokenizerBase
    text_encoder: CLIPTextModel

    def read_prompt(self, text: str) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_text(self.tokenizer, text, self.spec.max_tokens)

    def token_labels(self, prompt: str) -> Sequence[TokenLabel]:
        """Return what the encoded tokens stand for."""
        return token_labels(self.tokenizer, prompt, self.spec.max_tokens)


def load_clip(
    checkpoint: Checkpoint,
    model_class: Any,  # noqa: ANN401
    device: torch.device,
    dtype: torch.dtype,
    *,
    suffix: str = "",
) -> dict[str, Any]:
    """Load a text encoder and its tokenizer, by the names of their components.

    Args:
        checkpoint: Where they are.
        model_class: Of transformers.
        device: Where the text encoder goes.
        dtype: Precision of its weights.
        suffix: What the names of both components end in.
    """
    encoder, tokenizer = f"text_encoder{suffix}", f"tokenizer{suffix}"
    model = load_text_encoder(checkpoint, encoder, model_class, _SETTINGS, dtype)
    return {
        encoder: model.to(device),
        tokenizer: load_tokenizer(checkpoint, tokenizer, CLIPTokenizer),
    }


def encode_text(
    tokenizer: PreTrainedTokenizerBase,
    text_encoder: Any,  # noqa: ANN401
    text: str,
    *,
    limit: int,
    component: str = "text_encoder",
    hidden_states: bool = False,
) -> Any:  # noqa: ANN401
    """Run a text encoder on one text.

    Args:
        tokenizer: Text to token ids.
        text_encoder: Token ids to embeddings.
        text: What does not fit is cut off.
        limit: Tokens that it is padded or cut to.
        component: The text encoder's name, for messages.
        hidden_states: Whether the outputs of all layers are wanted, too.

    Returns:
        What transformers' class returns, of one text.

    Raises:
        ModelError: If the text encoder does not know all of the tokenizer's tokens.
    """
    with running("tokenizer"):
        tokens = tokenizer(
            text, padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
        )
    ids, attention_mask = tokens.input_ids, tokens.attention_mask  # (1, limit) each
    # On some devices the text encoder would not fail over them, but end the whole process.
    if ids.min() < 0 or ids.max() >= text_encoder.config.vocab_size:
        raise ModelError(
            f"The model's tokenizer has tokens that its {component} does not know.",
            "They come from different models.",
        )
    # CLIP was trained to attend to the padding; the model's config says if this one was not.
    masked = getattr(text_encoder.config, "use_attention_mask", False)
    with running(component):
        return text_encoder(
            ids.to(text_encoder.device),
            attention_mask=attention_mask.to(text_encoder.device) if masked else None,
            output_hidden_states=hidden_states,
        )


def read_prompt(spec: ModelSpec, text: str) -> PromptReading:
    """Measure a prompt with the model's first tokenizer alone."""
    return measure_text(_tokenizer(spec.checkpoint, spec), text, spec.max_tokens)


@lru_cache(maxsize=4)
def _tokenizer(checkpoint: Checkpoint, spec: ModelSpec) -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer(checkpoint, "tokenizer", CLIPTokenizer)
    return with_embeddings(tokenizer, spec)
