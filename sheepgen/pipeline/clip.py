"""CLIP's text encoders and their tokenizers: loaded, and run on one text at a time.

https://arxiv.org/abs/2103.00020. A text is padded, or cut off, to as many tokens as were trained.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from transformers import CLIPTokenizer

from sheepgen.pipeline.building import running
from sheepgen.pipeline.chunk_tokens import measure_prompt
from sheepgen.pipeline.embeddings import with_embeddings
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.prompt_chunks import split_prompt
from sheepgen.pipeline.tokens import unknown_tokens
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.prompt_chunks import Chunk
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat

__all__ = ["encode_chunk", "encode_text", "load_clip", "read_prompt"]

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


def load_clip(
    checkpoint: Checkpoint,
    model_class: Any,  # noqa: ANN401
    device: torch.device,
    dtype: torch.dtype,
    *,
    prefix: str = "",
    suffix: str = "",
) -> dict[str, Any]:
    """Load a text encoder and its tokenizer, by the names of their components.

    Args:
        checkpoint: Where they are.
        model_class: Of transformers.
        device: Where the text encoder goes.
        dtype: Precision of its weights.
        prefix: What the names of both components begin with.
        suffix: What they end in.
    """
    encoder, tokenizer = (f"{prefix}{name}{suffix}" for name in ("text_encoder", "tokenizer"))
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
    (chunk,) = split_prompt(tokenizer, text, limit, PLAIN)
    return encode_chunk(text_encoder, chunk, component=component, hidden_states=hidden_states)


def encode_chunk(
    text_encoder: Any,  # noqa: ANN401
    chunk: Chunk,
    *,
    component: str,
    hidden_states: bool,
) -> Any:  # noqa: ANN401
    """Run a text encoder on a chunk of a text, as `encode_text` does on all of it."""
    # On some devices the text encoder would not fail over them, but end the whole process.
    if min(chunk.ids) < 0 or max(chunk.ids) >= text_encoder.config.vocab_size:
        raise unknown_tokens(component)
    # CLIP was trained to attend to the padding; the model's config says if this one was not.
    masked = getattr(text_encoder.config, "use_attention_mask", False)
    device = text_encoder.device
    with running(component):
        return text_encoder(
            torch.tensor([chunk.ids], device=device),  # (1, tokens)
            attention_mask=torch.tensor([chunk.attention_mask], device=device) if masked else None,
            output_hidden_states=hidden_states,
        )


def read_prompt(spec: ModelSpec, text: str, form: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's first tokenizer alone."""
    return measure_prompt(_tokenizer(spec.checkpoint, spec), text, spec.max_tokens, form)


@lru_cache(maxsize=4)
def _tokenizer(checkpoint: Checkpoint, spec: ModelSpec) -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer(checkpoint, "tokenizer", CLIPTokenizer)
    return with_embeddings(tokenizer, spec)
