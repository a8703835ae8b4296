"""What a model's tokenizer and scheduler say of a request, before its weights are loaded.

PyTorch is imported when it is first needed, and nothing of it where no check needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ResolvedRequest

__all__ = ["PromptLength", "check_device", "check_schedules", "measure_prompts", "unread_words"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptLength:
    """A text against what the model reads of it.

    Args:
        tokens: In the whole text, special tokens included.
        limit: Tokens that the model reads, special tokens included.
        truncated: Words after the limit.
    """

    tokens: int
    limit: int
    truncated: tuple[str, ...]


def check_device(device: str) -> None:
    """Check that a device that was asked for by name is one that PyTorch sees.

    Raises:
        UsageError: If this machine has no such device.
    """
    if device not in ("auto", "cpu"):
        from sheepgen.pipeline.device import resolve_device

        resolve_device(device)


def check_schedules(spec: ModelSpec, requests: Iterable[ResolvedRequest]) -> None:
    """Check that the scheduler of every request gets through its steps.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If a scheduler cannot be used with this model.
    """
    from sheepgen.pipeline.scheduler import check_schedule

    for request in requests:
        check_schedule(spec, request)


def measure_prompts(spec: ModelSpec, texts: Mapping[str, str]) -> dict[str, PromptLength]:
    """Count the tokens of texts, and find the words that the model will not read.

    Loads the model's tokenizer and nothing else of it.

    Args:
        spec: The model.
        texts: By what they are called: ``prompt``, ``negative prompt``.
    """
    from sheepgen.pipeline.conditioning import count_tokens, truncated_words

    tokenizer = _tokenizer(spec)
    return {
        name: PromptLength(
            tokens=count_tokens(tokenizer, text),
            limit=spec.max_tokens,
            truncated=truncated_words(tokenizer, text, spec.max_tokens),
        )
        for name, text in texts.items()
    }


def unread_words(lengths: Mapping[str, PromptLength], *, strict: bool) -> tuple[str, ...]:
    """Return a sentence for each text that the model will not read to its end.

    Raises:
        UsageError: If ``strict`` and there is one.
    """
    unread = [
        f"The {name} has {length.tokens} tokens, and this model reads {length.limit}. "
        f"Not read: {excerpt(' '.join(length.truncated), 200)}"
        for name, length in lengths.items()
        if length.truncated
    ]
    if unread and strict:
        raise UsageError(unread[0], "Shorten it, or leave out --strict.")
    return tuple(first_of(unread))


@lru_cache(maxsize=4)
def _tokenizer(spec: ModelSpec) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer once; each job of a batch asks for it again."""
    from sheepgen.pipeline.loading import load_tokenizer

    return load_tokenizer(spec)
