"""The tokens that a network attends to, put together by word."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sheepgen.pipeline.family import Model
    from sheepgen.request import GenerationRequest

__all__ = ["TokenGroup", "bare_word", "split_words", "token_groups"]

_MARKS = ",.;:!?\"'()[]"
"""Punctuation around words; other characters may be part of a name, as in ``<cat-toy>``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenGroup:
    """Tokens of one word or phrase, or others of one kind.

    Args:
        text: As typed, without punctuation around it; or the special token's name, or empty.
        kind: As in `sheepgen.pipeline.tokens.TokenLabel`; ``special`` for punctuation around words.
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


def bare_word(word: str) -> str:
    """Return a word without punctuation around it; one that is only punctuation as it is."""
    return word.strip(_MARKS) or word


def token_groups(model: Model, request: GenerationRequest) -> list[TokenGroup]:
    """Return the tokens of a request's prompt by word, in the order in which they begin."""
    words = split_words(request.prompt)
    groups: dict[tuple[str, int | str | None], TokenGroup] = {}
    for label in model.token_labels(request.prompt, request.prompt_format):
        in_words: tuple[int, ...] = ()
        text, kind, word = label.text, label.kind, label.word
        if kind == "word" and word is not None and word < len(words):
            in_words, text = (word,), bare_word(words[word])
            if (mark := _mark(label.text)) and mark not in text:
                in_words, text, kind, word = (), mark, "special", None
        elif word is not None:  # the last word of what names a thing
            in_words = (*range(word + 1 - len(text.split()), word + 1),)
            text = bare_word(text)
        key = kind, text if word is None else word
        group = groups.setdefault(key, TokenGroup(text=text, kind=kind, words=in_words))
        group.positions.append(label.position)
        if label.id is not None:
            group.pieces.append(label.text)
            group.ids.append(label.id)
    return list(groups.values())


def _mark(piece: str) -> str:
    """Return the punctuation that a token consists of; empty if it is anything else.

    Vocabularies mark the end of a word with ``</w>``, or its beginning with ``Ġ`` or ``▁``.
    """
    text = piece.removesuffix("</w>").lstrip("Ġ▁")
    return "" if text.strip(_MARKS) else text
