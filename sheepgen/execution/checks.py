"""What a model's tokenizer and scheduler say of a request, before its weights are loaded.

PyTorch is imported when it is first needed, and nothing of it where no check needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sheepgen.models.spec import ModelSpec
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.request import ResolvedRequest

__all__ = ["check_device", "check_schedules", "read_prompts", "unread_words"]


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
    from sheepgen.pipeline.loading import check_schedule

    for request in requests:
        check_schedule(spec, request)


def read_prompts(spec: ModelSpec, texts: Mapping[str, str]) -> dict[str, PromptReading]:
    """Count the tokens of texts, and find the words that the model will not read.

    Loads no weights.

    Args:
        spec: The model.
        texts: By what they are called: ``prompt``, ``negative prompt``.
    """
    from sheepgen.pipeline.loading import read_prompt

    return {name: read_prompt(spec, text) for name, text in texts.items()}


def unread_words(lengths: Mapping[str, PromptReading], *, strict: bool) -> tuple[str, ...]:
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
