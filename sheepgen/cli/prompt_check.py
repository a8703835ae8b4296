"""How much of a prompt the model will read, found out before its weights are loaded."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sheepgen.cli.console import note
from sheepgen.errors import UsageError
from sheepgen.output.progress import spinner
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from rich.console import Console
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ResolvedRequest

__all__ = ["PromptLength", "check_prompts", "check_texts", "starting_torch"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptLength:
    """A text against what the model reads of it.

    Args:
        tokens: In the whole text, special tokens included.
        limit: Tokens that the model reads, special tokens included.
        truncated: Words behind the limit.
    """

    tokens: int
    limit: int
    truncated: tuple[str, ...]


def check_prompts(
    spec: ModelSpec, request: ResolvedRequest, console: Console, *, strict: bool
) -> dict[str, PromptLength]:
    """Measure the prompt and the negative prompt; see `check_texts`."""
    texts = {"prompt": request.prompt, "negative prompt": request.negative_prompt}
    return check_texts(spec, texts, console, strict=strict)


def check_texts(
    spec: ModelSpec, texts: Mapping[str, str], console: Console, *, strict: bool
) -> dict[str, PromptLength]:
    """Measure texts by what they are called, and tell which of their words will not be read.

    Loads the model's tokenizer and nothing else of it.

    Raises:
        UsageError: If ``strict`` and a word would fall off.
    """
    with starting_torch(console):
        from sheepgen.pipeline.conditioning import count_tokens, truncated_words

        tokenizer = _tokenizer(spec)
    lengths = {
        name: PromptLength(
            tokens=count_tokens(tokenizer, text),
            limit=spec.max_tokens,
            truncated=truncated_words(tokenizer, text, spec.max_tokens),
        )
        for name, text in texts.items()
    }
    unread = [
        f"The {name} has {length.tokens} tokens, and this model reads {length.limit}. "
        f"Not read: {excerpt(' '.join(length.truncated), 200)}"
        for name, length in lengths.items()
        if length.truncated
    ]
    if unread and strict:
        raise UsageError(unread[0], "Shorten it, or leave out --strict.")
    for said in first_of(unread):
        note(console, said)
    return lengths


def starting_torch(console: Console) -> AbstractContextManager[None]:
    """Show what takes so long where PyTorch is needed for the first time."""
    return nullcontext() if "torch" in sys.modules else spinner(console, "Starting PyTorch")


@lru_cache(maxsize=4)
def _tokenizer(spec: ModelSpec) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer once; a batch comes back for it with every job."""
    from sheepgen.pipeline.loading import load_tokenizer

    return load_tokenizer(spec)
