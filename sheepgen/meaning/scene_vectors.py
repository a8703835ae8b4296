"""The embedded model's text encoder, whose tokens show what a prompt asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sheepgen.meaning.text_vectors import TextVectors
from sheepgen.pipeline.building import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from sheepgen.embedded.prompt_reader import PromptReader
    from sheepgen.prompt_reading import PromptReading

__all__ = ["SceneVectors"]

_SCENES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class SceneVectors:
    """The embedded model's text encoder, which parses prompts.

    Args:
        reader: Reads prompts into scenes.
    """

    reader: PromptReader

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parser's weights; those of the drawings are bytes."""
        return self.reader.text_encoder.parser.positions.dtype

    def read_prompt(self, text: str) -> PromptReading:
        """Return what is understood of a text, and which of its words are not used."""
        return self.reader.reading(text)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Iterator[TextVectors]:
        """Do what `Vectors.encode` says; of several drawings the preferred one is shown."""
        encoder, drawings = self.reader.text_encoder, self.reader.drawings
        for start in range(0, len(texts), _SCENES_AT_ONCE):
            numbers = range(start, min(start + _SCENES_AT_ONCE, len(texts)))
            labels = {number: self.reader.labels(texts[number]) for number in numbers}
            scenes = {number: each for number, each in labels.items() if each is not None}
            chosen = [drawings.choose(each, 0) for each in scenes.values()]
            vectors = torch.empty(0, 0)
            if scenes:
                tensors = encoder.label_tensors([*scenes.values()], chosen)
                with running("text_encoder"):
                    vectors = self._flat(encoder(*(each.to(encoder.device) for each in tensors)))
            yield TextVectors([*scenes], vectors, numbers.stop)

    def _flat(self, tokens: Tensor) -> Tensor:
        """Return conditioning tokens as one vector a scene.

        Products of these are those of all tokens side by side, but for the positions, which are
        the same for all scenes of a kind. What every token says of the scene is here once, and as
        long as it is there.

        Args:
            tokens: (scenes, tokens, hidden_size).
        """
        encoder = self.reader.text_encoder
        layout = encoder.layout
        memory = tokens[:, encoder.context_tokens :]
        own = torch.cat([memory[..., layout.cell], memory[..., layout.colour]], dim=-1)
        times = tokens.shape[1] - encoder.blank_tokens
        shared = tokens[:, -1, layout.attribute] * math.sqrt(times)
        return torch.cat([own.flatten(1), shared], dim=1).float().cpu()
