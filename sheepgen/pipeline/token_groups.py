"""The tokens that a network attends to, put together by word."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sheepgen.pipeline.family import Model
    from sheepgen.request import GenerationRequest

__all__ = ["TokenGroup", "split_words", "token_groups"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenGroup:
    """Tokens of one word or phrase, or others of one kind.

    Args:
        text: As typed; or the special token's name, or empty.
        kind: As in `sheepgen.pipeline.tokens.TokenLabel`.
        positions: Of the tokens.
        pieces: Their texts in the tokenizer's vocabulary, if they are in one.
        ids: Their numbers there.
        words: Which of the prompt's words they are, from 0.
    """

    text: str
    kind: Literal["word", "special", "padding", "memory"]
    positions: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    words: tuple[int, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether they stand for words, or for a thing that the prompt leads to."""
        return self.kind == "word" or (self.kind == "memory" and bool(self.text))


def split_words(prompt: str) -> list[str]:
    """Return the words of a prompt as `sheepgen.pipeline.family.Model.token_labels` counts them."""
    return re.findall(r"\S+", prompt)


def token_groups(model: Model, request: GenerationRequest) -> list[TokenGroup]:
    """Return the tokens of a request's prompt by word, in the order in which they begin."""
    words = split_words(request.prompt)
    groups: dict[tuple[str, int | str | None], TokenGroup] = {}
    for label in model.token_labels(request.prompt, request.prompt_format):
        in_words: tuple[int, ...] = ()
        text = label.text
        if label.kind == "word" and label.word is not None and label.word < len(words):
            in_words, text = (label.word,), words[label.word]
        elif label.word is not None:  # the last word of what names a thing
            in_words = (*range(label.word + 1 - len(text.split()), label.word + 1),)
        key = label.kind, text if label.word is None else label.word
        group = groups.setdefault(key, TokenGroup(text=text, kind=label.kind, words=in_words))
        group.positions.append(label.position)
        if label.id is not None:
            group.pieces.append(label.text)
            group.ids.append(label.id)
    return list(groups.values())
