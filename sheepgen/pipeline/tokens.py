"""What a tokenizer makes of a prompt: how much of it is read, and which token is of which word."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from sheepgen.pipeline.building import running
from sheepgen.pipeline.family import TokenLabel
from sheepgen.prompt_reading import PromptReading

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["measure_text", "token_labels"]


def measure_text(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    limit: int,
    *,
    before: str = "",
    after: str = "",
    lower_case: bool = False,
) -> PromptReading:
    """Measure a text.

    Args:
        tokenizer: Any that splits at white space first, as CLIP's does.
        text: A prompt.
        limit: Tokens that the text encoder takes, special tokens included.
        before: What the text encoder is given in front of it.
        after: What it is given after it, and may do without.
        lower_case: Whether it is given the text in lower case.

    Returns:
        Among others the words at the end that are not read, or not whole.
    """
    read = text.lower() if lower_case else text
    ends = [word.end() for word in re.finditer(r"\S+", read)]
    # Counting beginnings of the text needs no offsets, which not every tokenizer gives.
    fitting = bisect_right(ends, limit, key=lambda end: _count(tokenizer, before + read[:end]))
    return PromptReading(
        tokens=_count(tokenizer, before + read + after),
        limit=limit,
        truncated=tuple(re.findall(r"\S+", text)[fitting:]),
    )


def token_labels(
    tokenizer: PreTrainedTokenizerBase, text: str, limit: int, *, begins: bool = True
) -> tuple[TokenLabel, ...]:
    """Return what each of the ``limit`` tokens is that a text is padded or cut to.

    Args:
        tokenizer: One that puts one token after the text, and perhaps one before it.
        text: A prompt.
        limit: As for `measure_text`.
        begins: Whether it puts one before it, as CLIP's does.
    """
    with running("tokenizer"):
        ids = tokenizer(text, max_length=limit, truncation=True).input_ids
    pieces = tokenizer.convert_ids_to_tokens(ids)
    ends = [_count(tokenizer, text[: word.end()]) - 1 for word in re.finditer(r"\S+", text)]
    last = len(ids) - 1
    labels = [TokenLabel(position=0, kind="special", text=pieces[0])] if begins else []
    labels += [
        TokenLabel(position=at, kind="word", text=pieces[at], word=bisect_right(ends, at))
        for at in range(len(labels), last)
    ]
    labels.append(TokenLabel(position=last, kind="special", text=pieces[last]))
    padding = tokenizer.pad_token
    labels += [
        TokenLabel(position=at, kind="padding", text=padding) for at in range(last + 1, limit)
    ]
    return tuple(labels)


def _count(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    with running("tokenizer"):
        return len(tokenizer(text, verbose=False).input_ids)
