"""Prompts are encoded one at a time, and what became of the last of them is kept.

So no image depends on the others of its batch, and what several images share is encoded once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import torch

from sheepgen.pipeline.weighted_sum import weighted_sum

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from torch import Tensor

    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["BlendedTexts", "CachedTexts", "MaskedText", "TextCache", "join_texts"]

_CACHED_CHUNKS = 64
"""Chunks of encoded texts that a model keeps: 15 MB for Stable Diffusion 1, 40 MB for XL."""

_Text = TypeVar("_Text", bound="Hashable")
_Encoded = TypeVar("_Encoded")
_Summed = TypeVar("_Summed", bound="Tensor | tuple[Tensor, ...]")
_Tensors = TypeVar("_Tensors", bound="tuple[Tensor, ...]")


class MaskedText(NamedTuple):
    """Texts of which not all is attended to.

    Args:
        states: (batch, tokens, width of the text encoder).
        mask: (batch, tokens), 1 for what is attended to.
    """

    states: Tensor
    mask: Tensor


def join_texts(texts: Iterable[_Tensors]) -> _Tensors:
    """Return encoded texts as one batch.

    Args:
        texts: At least one; named tuples of tensors whose first side is the batch.
    """
    first, *others = texts
    joined: Any = type(first)(*map(torch.cat, zip(first, *others, strict=True)))
    found: _Tensors = joined
    return found


class TextCache(Generic[_Encoded]):
    """The texts that were encoded last, and what they became."""

    def __init__(self) -> None:
        self._encoded: OrderedDict[Hashable, tuple[_Encoded, int]] = OrderedDict()

    def get(self, key: Hashable) -> _Encoded | None:
        """Return what a text became, or None if that is not kept."""
        if key not in self._encoded:
            return None
        self._encoded.move_to_end(key)
        return self._encoded[key][0]

    def keep(self, key: Hashable, encoded: _Encoded, chunks: int = 1) -> _Encoded:
        """Keep and return what a text became, and forget those longest not asked for.

        Args:
            key: The text, and all else that it depends on.
            encoded: What it became.
            chunks: How large that is.
        """
        self._encoded[key] = encoded, chunks
        while sum(size for _, size in self._encoded.values()) > _CACHED_CHUNKS:
            self._encoded.popitem(last=False)
        return encoded


@dataclass(frozen=True, kw_only=True)
class CachedTexts(ABC, Generic[_Text, _Encoded]):
    """What encodes texts and keeps what they became: a part of models.

    A text is a string, or a tuple of one and what else decides what becomes of it.
    """

    _encoded: TextCache[_Encoded] = field(
        default_factory=TextCache, init=False, repr=False, compare=False
    )

    def encode_cached(self, text: _Text) -> _Encoded:
        """Return what a text becomes, from memory if it is there."""
        if (encoded := self._encoded.get(text)) is None:
            encoded = self._encoded.keep(text, self._encode_text(text))
        return encoded

    @abstractmethod
    def _encode_text(self, text: _Text) -> _Encoded:
        """Return what a text becomes in this family."""


@dataclass(frozen=True, kw_only=True)
class BlendedTexts(CachedTexts[str, _Summed]):
    """Likewise, where several prompts can be blended by weight."""

    def encode_prompt(self, request: ResolvedRequest) -> _Summed:
        """Return what the prompts of a request become together."""
        return weighted_sum((self.encode_cached(text), weight) for text, weight in request.prompts)
