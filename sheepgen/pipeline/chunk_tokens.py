"""What the tokens of a prompt in chunks are: how many there are, and which word each belongs to."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import chain
from typing import TYPE_CHECKING

from sheepgen.pipeline.prompt_chunks import parts_of, split_prompt, tokenize
from sheepgen.pipeline.tokens import TokenLabel, measure_text, token_labels
from sheepgen.prompt_reading import PromptReading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedTokenizerBase

    from sheepgen.prompt_syntax import PromptFormat

__all__ = ["label_prompt", "measure_prompt"]


def measure_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, limit: int, form: PromptFormat
) -> PromptReading:
    """Measure a text, as `sheepgen.pipeline.tokens.measure_text` does, that may be in chunks.

    Args:
        tokenizer: CLIP's.
        text: A prompt.
        limit: Tokens of a chunk, special tokens included.
        form: How the prompt is read; in chunks, all of it is.
    """
    if not form.in_chunks:
        return measure_text(tokenizer, text, limit)
    chunks = split_prompt(tokenizer, text, limit, form)
    tokens = sum(chunk.words + 2 for chunk in chunks)
    return PromptReading(tokens=tokens, limit=limit * len(chunks))


def label_prompt(
    tokenizer: PreTrainedTokenizerBase, text: str, limit: int, form: PromptFormat
) -> tuple[TokenLabel, ...]:
    """Label tokens, as `sheepgen.pipeline.tokens.token_labels` does, of a text in chunks or whole.

    Args:
        tokenizer: CLIP's.
        text: A prompt; its words are those between white space, as typed.
        limit: As for `measure_prompt`.
        form: Likewise.
    """
    if not form.in_chunks:
        return token_labels(tokenizer, text, limit)
    words = _words(tokenizer, text, form)
    labels: list[TokenLabel] = []
    for chunk in split_prompt(tokenizer, text, limit, form):
        end = chunk.words + 1
        for at, piece in enumerate(tokenizer.convert_ids_to_tokens([*chunk.ids])):
            is_word = 0 < at < end
            labels.append(
                TokenLabel(
                    position=len(labels),
                    kind="word" if is_word else "padding" if at > end else "special",
                    text=piece,
                    word=next(words) if is_word else None,
                    id=chunk.ids[at],
                )
            )
    return tuple(labels)


def _words(tokenizer: PreTrainedTokenizerBase, text: str, form: PromptFormat) -> Iterator[int]:
    """Yield for each token of a text the number of its word."""
    starts = [word.start() for word in re.finditer(r"\S+", text)]
    for part in chain.from_iterable(parts_of(text, form)):
        # Where the words of the part end among its tokens, and the number of each.
        found = [*re.finditer(r"\S+", part.text)]
        ends = [len(tokenize(tokenizer, part.text[: word.end()])) for word in found]
        numbers = [bisect_right(starts, part.offsets[word.start()]) - 1 for word in found]
        numbers.append(numbers[-1] if numbers else 0)  # for what is white space only to Python
        for at in range(len(tokenize(tokenizer, part.text))):
            yield numbers[bisect_right(ends, at)]
