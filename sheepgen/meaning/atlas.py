"""Texts and their unit vectors: how near they are, and which words are nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from sheepgen.meaning.geometry import normalise
from sheepgen.meaning.query import bare

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from torch import Tensor

    from sheepgen.meaning.query import Analogy

__all__ = ["Atlas", "Near"]


class Near(NamedTuple):
    """A word that is near.

    Args:
        text: The word.
        cosine: -1 to 1.
    """

    text: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Atlas:
    """Where texts are.

    Args:
        rows: The row of each text.
        unit: (texts, width), of length 1.
    """

    rows: Mapping[str, int]
    unit: Tensor

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Return the unit vectors of texts, (texts, width)."""
        return self.unit[[self.rows[text] for text in texts]]

    def cosines(self, texts: Sequence[str]) -> Tensor:
        """Return the cosines of texts with each other, (texts, texts)."""
        vectors = self.vectors(texts)
        return (vectors @ vectors.T).clamp(-1, 1)

    def cosine(self, first: str, second: str) -> float:
        """Return the cosine of two texts."""
        return float(self.cosines([first, second])[0, 1])

    def sum_of(self, analogy: Analogy) -> Tensor:
        """Return the unit vector of a sum, (width,).

        Each term counts alike, however long its vector was (https://arxiv.org/abs/1301.3781).
        """
        signs = torch.tensor([[float(term.sign)] for term in analogy.terms])
        total = (signs * self.vectors([term.text for term in analogy.terms])).sum(0, keepdim=True)
        return normalise(total)[0]

    def ranked(
        self, vector: Tensor, words: Sequence[str], *, without: Collection[str] = ()
    ) -> list[Near]:
        """Return words by how near they are to a vector, the nearest first.

        Args:
            vector: (width,), of length 1.
            words: To choose from; those without a row are left out.
            without: Texts that are left out, with or without an article.
        """
        left_out = {bare(text) for text in without}
        known = [word for word in words if word in self.rows and bare(word) not in left_out]
        if not known:
            return []
        of_all = (self.unit @ vector).clamp(-1, 1)  # which copies no vectors
        cosines = of_all[[self.rows[word] for word in known]]
        order = cosines.argsort(descending=True, stable=True).tolist()
        return [Near(known[at], float(cosines[at])) for at in order]
