"""What words mean, each alone, as a sentence encoder has it; so that sheep lies near ewe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sheepgen.training.text_encoder.whitened_pca import principal_components

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from sheepgen.training.data.sentence_encoder import SentenceEncoder

__all__ = ["WordMeanings"]


@dataclass(frozen=True, slots=True)
class WordMeanings:
    """The meanings of words.

    Args:
        rows: Which row is whose.
        vectors: (words, numbers), the principal components of what the sentence encoder gives, the
            first of which vary most.
    """

    rows: dict[str, int]
    vectors: Tensor

    @classmethod
    def of(cls, words: Iterable[str], encoder: SentenceEncoder, width: int) -> WordMeanings:
        """Measure what words mean, reduced to so many numbers or what there is, then zeros."""
        sorted_words = sorted({*words})
        vectors = encoder.meanings(sorted_words)
        reduced = principal_components(vectors, width)(vectors)
        padded = torch.zeros(len(reduced), width)
        padded[:, : reduced.shape[1]] = reduced
        return cls({word: row for row, word in enumerate(sorted_words)}, padded)
