"""A prompt in chunks: as many tokens as a text encoder takes at once, and the weight of each.

Every chunk stands between a begin and an end, and what the text encoder makes of all of them stands
side by side. AUTOMATIC1111's rules (``modules/sd_hijack_clip.py``): chunks of 75 tokens, BREAK ends
one, and if a chunk ends within 20 tokens after a comma, what follows the comma goes to the next
one. A prompt without marks is divided every 75 tokens, wherever that is. What an embedding stands
for stays together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import torch

from sheepgen.pipeline.building import running
from sheepgen.pipeline.embeddings import EmbeddingTokenizer
from sheepgen.prompt_syntax import Part, parse_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.prompt_syntax import PromptFormat

__all__ = [
    "Chunk",
    "apply_weights",
    "fill_up",
    "parts_of",
    "split_prompt",
    "tokenize",
    "with_chunks",
]

_COMMA_REACH = 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """What goes through a text encoder at once.

    Args:
        ids: Numbers of its tokens: begin, words, end, padding.
        attention_mask: 1 for each but the padding, where it is 0.
        weights: How strong each is; empty if all are 1.
    """

    ids: tuple[int, ...]
    attention_mask: tuple[int, ...]
    weights: tuple[float, ...] = ()

    @property
    def words(self) -> int:
        """Number of the tokens that are of words."""
        return sum(self.attention_mask) - 2


class _Token(NamedTuple):
    id: int
    weight: float


def parts_of(text: str, form: PromptFormat) -> tuple[tuple[Part, ...], ...]:
    """Return the parts of a prompt, by section, as `parse_prompt` does; without marks, just one."""
    if form.has_marks:
        return parse_prompt(text)
    return ((Part(text, 1.0, tuple(range(len(text)))),),)


def split_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, limit: int, form: PromptFormat
) -> tuple[Chunk, ...]:
    """Divide a prompt into chunks, at least one.

    Args:
        tokenizer: One that puts one token before a text and one after it, as CLIP's does.
        text: A prompt.
        limit: Tokens of a chunk, special tokens included.
        form: How the prompt is read; if not in chunks, what does not fit is cut off.
    """
    if not form.in_chunks:
        with running("tokenizer"):
            whole = tokenizer(text, padding="max_length", max_length=limit, truncation=True)
        return (Chunk(tuple(whole.input_ids), tuple(whole.attention_mask)),)
    with running("tokenizer"):
        begin, end, *padding = tokenizer("", padding="max_length", max_length=limit).input_ids
        comma = tokenizer(",").input_ids[1] if form.has_marks else None
    lengths = tokenizer.lengths if isinstance(tokenizer, EmbeddingTokenizer) else {}
    filled = [
        tokens
        for section in parts_of(text, form)
        for tokens in _fill(_units(tokenizer, section, lengths), limit - 2, comma)
    ]
    if len(filled) > 1 and not filled[-1]:
        filled.pop()  # nothing comes after a break
    return tuple(_chunk(tokens, begin, end, padding) for tokens in filled)


def tokenize(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the numbers of a text's tokens, without those before and after it."""
    with running("tokenizer"):
        ids: list[int] = tokenizer(text, verbose=False).input_ids
    return ids[1:-1]


def _units(
    tokenizer: PreTrainedTokenizerBase, section: Sequence[Part], lengths: Mapping[int, int]
) -> Iterator[list[_Token]]:
    """Yield tokens, those that stay together at once."""
    for part in section:
        tokens = [_Token(number, part.weight) for number in tokenize(tokenizer, part.text)]
        at = 0
        while at < len(tokens):
            length = lengths.get(tokens[at].id, 1)
            yield tokens[at : at + length]
            at += length


def _fill(units: Iterator[list[_Token]], room: int, comma: int | None) -> Iterator[list[_Token]]:
    """Yield the tokens of each chunk; of a section without any, one empty chunk."""
    chunk: list[_Token] = []
    after_comma = 0  # where what follows the last comma begins; 0 without one
    for unit in units:
        if unit[0].id == comma:
            after_comma = len(chunk) + 1
        elif after_comma and len(chunk) == room and room - after_comma < _COMMA_REACH:
            yield chunk[:after_comma]
            chunk, after_comma = chunk[after_comma:], 0
        if len(chunk) + min(len(unit), room) > room:
            yield chunk
            chunk, after_comma = [], 0
        chunk += unit
        while len(chunk) > room:  # an embedding of more vectors than a chunk has room for
            yield chunk[:room]
            chunk = chunk[room:]
    yield chunk


def _chunk(tokens: Sequence[_Token], begin: int, end: int, padding: Sequence[int]) -> Chunk:
    rest = padding[len(tokens) :]
    weights = [1.0, *(token.weight for token in tokens), 1.0, *(1.0 for _ in rest)]
    return Chunk(
        ids=(begin, *(token.id for token in tokens), end, *rest),
        attention_mask=(*(1 for _ in range(len(tokens) + 2)), *(0 for _ in rest)),
        weights=tuple(weights) if set(weights) != {1.0} else (),
    )


def apply_weights(states: Tensor, weights: Sequence[float]) -> Tensor:
    """Multiply the states of a chunk by the weights of its tokens, and restore their mean.

    AUTOMATIC1111's emphasis "Original": the mean is over all tokens and channels. If it is zero,
    nothing is restored.

    Args:
        states: (1, tokens, width).
        weights: One for each token; empty if all are 1.
    """
    if not weights:
        return states
    factors = torch.tensor(weights, dtype=torch.float32, device=states.device)
    weighted = states.float() * factors[:, None]
    mean = weighted.mean()
    if mean:
        weighted = weighted * (states.float().mean() / mean)
    return weighted.to(states.dtype)


def fill_up(passes: Sequence[Sequence[Tensor]], empty: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the states of a batch in one tensor; an image's passes are made equally long.

    Images may need different numbers of chunks. The shorter ones are filled up, too, and the U-Net
    is not to attend to that, so that no image depends on the others.

    Args:
        passes: States of each pass, those of the negative prompts first if there are two, each of
            (1, tokens, width).
        empty: Those of an empty chunk, to fill up with.

    Returns:
        (passes * images, tokens, width), and what to attend to, (passes * images, tokens), or None
        for everything.
    """
    lengths = [max(states.shape[1] for states in image) for image in zip(*passes, strict=True)]
    longest = max(lengths)
    filled = [with_chunks(states, empty, longest) for states in chain.from_iterable(passes)]
    joined = torch.cat(filled)
    if len(set(lengths)) == 1:
        return joined, None
    read = torch.arange(longest) < torch.tensor(lengths)[:, None]  # (images, tokens)
    return joined, read.repeat(len(passes), 1).to(joined.device)


def with_chunks(states: Tensor, empty: Tensor, length: int) -> Tensor:
    """Return states with as many empty chunks after them as make them ``length`` tokens long."""
    missing = (length - states.shape[1]) // empty.shape[1]
    return torch.cat([states, *[empty] * missing], dim=1) if missing else states
