"""Text embeddings (textual inversion, https://arxiv.org/abs/2208.01618).

A token stands for vectors that were found by training, in place of a word's. One that stands for
several is written out before a prompt is tokenized, as diffusers does: ``token token_1 token_2``
(there, however, only tokens in small letters).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.errors import ModelError
from sheepgen.models.added.embedding import find_embedding
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

    from sheepgen.models.added.embedding import Embedding
    from sheepgen.models.spec import ModelSpec

__all__ = ["EmbeddingTokenizer", "add_vectors", "with_embeddings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddingTokenizer:
    """A tokenizer that knows the tokens of embeddings; it does what is used of a tokenizer here.

    Args:
        tokenizer: Of transformers.
        written_out: Each token, and all tokens that it stands for.
    """

    tokenizer: Any
    written_out: Mapping[str, str]

    @classmethod
    def of(cls, tokenizer: Any, embeddings: Iterable[Embedding]) -> EmbeddingTokenizer:  # noqa: ANN401
        """Return a tokenizer that knows embeddings; the one that is given becomes a part of it.

        Raises:
            ModelError: If the vocabulary has a token already, or two embeddings have the same.
        """
        written_out: dict[str, str] = {}
        for embedding in embeddings:
            pieces = _pieces(embedding)
            known = tokenizer.get_vocab()
            if any(piece in known or f"{piece.lower()}</w>" in known for piece in pieces):
                raise ModelError(
                    f"The token of the embedding, {excerpt(embedding.token)}, is already a word.",
                    "Rename the file: its name is the token.",
                )
            tokenizer.add_tokens(pieces)
            written_out[embedding.token] = " ".join(pieces)
        return cls(tokenizer=tokenizer, written_out=written_out)

    def __call__(self, text: str, **settings: Any) -> Any:  # noqa: ANN401
        """Tokenize a text, as the tokenizer does."""
        for token, pieces in self.written_out.items():
            # Texts are made small before they are split, and tokens with them.
            found = re.compile(rf"{re.escape(token)}(?!\w)", re.IGNORECASE)
            text = found.sub(pieces.replace("\\", r"\\"), text)
        return self.tokenizer(text, **settings)

    @property
    def lengths(self) -> Mapping[int, int]:
        """Number of the tokens of each embedding, by the first of them."""
        return {
            self.tokenizer.convert_tokens_to_ids(token): pieces.count(" ") + 1
            for token, pieces in self.written_out.items()
        }

    @property
    def pad_token(self) -> str:
        """What texts are padded with."""
        return str(self.tokenizer.pad_token)

    @property
    def pad_token_id(self) -> int:
        """Number of that token."""
        return int(self.tokenizer.pad_token_id)

    @property
    def eos_token_id(self) -> int:
        """Number of the token at the end of a text."""
        return int(self.tokenizer.eos_token_id)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """Return tokens by their numbers."""
        return list(self.tokenizer.convert_ids_to_tokens(ids))

    def numbers(self, embedding: Embedding) -> list[int]:
        """Return the numbers of the tokens that an embedding stands for."""
        return list(self.tokenizer.convert_tokens_to_ids(_pieces(embedding)))


def with_embeddings(tokenizer: Any, spec: ModelSpec) -> Any:  # noqa: ANN401
    """Return a tokenizer that knows the embeddings that are added to a model, if there are any."""
    embeddings = [find_embedding(path, spec.checkpoint) for path in spec.adapters.embeddings]
    return EmbeddingTokenizer.of(tokenizer, embeddings) if embeddings else tokenizer


def _pieces(embedding: Embedding) -> list[str]:
    more = (f"{embedding.token}_{number}" for number in range(1, embedding.vectors))
    return [embedding.token, *more]


@torch.no_grad()
def add_vectors(
    text_encoder: Any,  # noqa: ANN401
    tokenizer: EmbeddingTokenizer,
    embedding: Embedding,
    vectors: Tensor,
) -> None:
    """Give a text encoder the vectors of an embedding.

    Args:
        text_encoder: Of transformers.
        tokenizer: That knows the embedding.
        embedding: Which tokens the vectors are for.
        vectors: (vectors, hidden_size), or (hidden_size,) for one.
    """
    table = text_encoder.get_input_embeddings()
    numbers = tokenizer.numbers(embedding)
    rows, width = table.weight.shape
    weight = table.weight.new_zeros(max(rows, max(numbers) + 1), width)
    weight[:rows] = table.weight
    weight[numbers] = vectors.reshape(-1, width).to(weight.device, weight.dtype)
    larger = torch.nn.Embedding(len(weight), width, _weight=weight, _freeze=True)
    text_encoder.set_input_embeddings(larger)
    text_encoder.config.vocab_size = len(weight)
    # CLIP's own config takes the largest token for the end of a text; an added one is larger.
    for module in text_encoder.modules():
        if hasattr(module, "eos_token_id"):
            module.eos_token_id = tokenizer.eos_token_id
