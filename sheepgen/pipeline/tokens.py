"""What a tokenizer makes of a prompt: how much of it is read, and the word of each token."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sheepgen.errors import ModelError
from sheepgen.pipeline.building import running
from sheepgen.prompt_reading import PromptReading

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "TokenLabel",
    "count_tokens",
    "labels_within",
    "measure_text",
    "token_labels",
    "unknown_tokens",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenLabel:
    """What one of the positions stands for that the network attends to.

    Args:
        position: Index among the encoded tokens.
        kind: ``word``, ``special`` (begin, end), ``padding``, or ``memory`` for tokens that the
            text encoder adds.
        text: The piece of the prompt, or the special token's name; empty for ``memory``.
        word: Number of the word among the prompt's, from 0, if ``kind`` is ``word``.
        id: The token's number in the tokenizer's vocabulary, if it has one.
    """

    position: int
    kind: Literal["word", "special", "padding", "memory"]
    text: str = ""
    word: int | None = None
    id: int | None = None


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
    fitting = bisect_right(
        ends, limit, key=lambda end: count_tokens(tokenizer, before + read[:end])
    )
    return PromptReading(
        tokens=count_tokens(tokenizer, before + read + after),
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
    ends = [count_tokens(tokenizer, text[: word.end()]) - 1 for word in re.finditer(r"\S+", text)]
    last = len(ids) - 1
    labels = [TokenLabel(position=0, kind="special", text=pieces[0], id=ids[0])] if begins else []
    labels += [
        TokenLabel(
            position=at, kind="word", text=pieces[at], word=bisect_right(ends, at), id=ids[at]
        )
        for at in range(len(labels), last)
    ]
    labels.append(TokenLabel(position=last, kind="special", text=pieces[last], id=ids[last]))
    padding, pad_id = tokenizer.pad_token, tokenizer.pad_token_id
    labels += [
        TokenLabel(position=at, kind="padding", text=padding, id=pad_id)
        for at in range(last + 1, limit)
    ]
    return tuple(labels)


def labels_within(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    limit: int,
    *,
    before: str,
    after: str = "",
    padded: bool = False,
) -> list[TokenLabel]:
    """Return what each token is of a text with something around it.

    Args:
        tokenizer: Any.
        text: A prompt.
        limit: Tokens that all is cut to.
        before: What is in front of it; a space at its end is the first word's.
        after: What is after it.
        padded: Whether those count that it is padded with up to the limit.
    """
    with running("tokenizer"):
        ids = tokenizer(f"{before}{text}{after}", max_length=limit, truncation=True).input_ids
    pieces = tokenizer.convert_ids_to_tokens(ids)
    first = count_tokens(tokenizer, before.rstrip(" "))
    ends = [
        count_tokens(tokenizer, before + text[: word.end()]) for word in re.finditer(r"\S+", text)
    ]
    last = ends[-1] if ends else first
    labels = [
        TokenLabel(position=at, kind="word", text=piece, word=bisect_right(ends, at))
        if first <= at < last
        else TokenLabel(position=at, kind="special", text=piece)
        for at, piece in enumerate(pieces)
    ]
    if padded:
        padding = tokenizer.pad_token
        labels += [
            TokenLabel(position=at, kind="padding", text=padding)
            for at in range(len(labels), limit)
        ]
    return labels


def count_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    """Return how many tokens a text is, special tokens included."""
    with running("tokenizer"):
        return len(tokenizer(text, verbose=False).input_ids)


def unknown_tokens(component: str) -> ModelError:
    """Return the error for a text encoder that does not know all of the tokenizer's tokens."""
    return ModelError(
        f"The model's tokenizer has tokens that its {component} does not know.",
        "They come from different models.",
    )
