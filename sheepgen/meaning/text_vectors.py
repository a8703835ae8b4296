"""What a text encoder is here: texts in, one vector for each out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from torch import Tensor

    from sheepgen.prompt_reading import PromptReading

__all__ = ["TextVectors", "Vectors"]


class Vectors(Protocol):
    """A loaded text encoder that makes one vector of a text."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of its weights."""

    def read_prompt(self, text: str) -> PromptReading:
        """Return how much of a text is read and, if the model parses it, what is understood."""

    def encode(self, texts: Sequence[str]) -> Iterator[TextVectors]:
        """Yield the vectors of texts, some at a time; of those that say nothing, none.

        Raises:
            UsageError: If a text has no tokens.
            ModelError: If the text encoder cannot run, or its numbers are not finite.
        """


@dataclass(frozen=True, slots=True)
class TextVectors:
    """Vectors of some texts.

    Args:
        texts: Their numbers.
        vectors: (texts, width), float32, on the CPU.
        done: How many texts are done with, those that say nothing among them.
    """

    texts: Sequence[int]
    vectors: Tensor
    done: int
