"""The embedded model's family: it parses prompts, and knows which words it used.

Of Stable Diffusion it has the U-Net and the VAE. `sheepgen train` writes such models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.memory_tokens import ALONE, BLOCKS, MEMORY_TOKENS
from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.embedded.prompt_reader import PromptReader
from sheepgen.errors import UsageError
from sheepgen.models.families import PREVIEW_COMPONENT
from sheepgen.pipeline.building import running
from sheepgen.pipeline.latent_model import LatentModel, TextEmbeds
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.tokens import TokenLabel
from sheepgen.pipeline.weighted_sum import weighted_sum
from sheepgen.prompt_syntax import PLAIN
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torch import Tensor

    from sheepgen.embedded.scene_labels import SceneLabels
    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["EmbeddedModel", "check_schedule", "load", "read_prompt"]


@dataclass(frozen=True, kw_only=True)
class EmbeddedModel(LatentModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        reader: Reads prompts.
        left_out: Tokens of prompts that say nothing of a thing, only what all say of the scene.
    """

    reader: PromptReader
    left_out: frozenset[int] = frozenset()

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> EmbeddedModel:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        reader = PromptReader.load(spec.checkpoint)
        reader.text_encoder.to(device)
        preview = None
        if PREVIEW_COMPONENT in spec.checkpoint.configs:
            preview = load_diffusers(spec.checkpoint, PREVIEW_COMPONENT, PreviewDecoder, dtype)
            preview.to(device)
        components = cls.load_components(spec, device, dtype)
        return cls(**components, reader=reader, preview_decoder=preview)

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return what is understood of a prompt, and which of its words are not used."""
        return self.reader.reading(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for: the scene as a whole, then cells of the things."""
        labels = self.reader.labels(prompt)
        context = self.reader.text_encoder.context_tokens
        of_things: dict[int, tuple[str, int | None]] = {}
        words = prompt.split()
        if labels:
            blocks = (ALONE,) if labels.kind == "single" else BLOCKS
            for thing, block in zip(labels.things, blocks, strict=False):
                text = " ".join(words[word] for word in thing.words) or thing.name
                head = thing.words[-1] if thing.words else None
                of_things |= dict.fromkeys(
                    range(*block.tokens.indices(MEMORY_TOKENS)), (text, head)
                )
        memory = [of_things.get(token, ("", None)) for token in range(MEMORY_TOKENS)]
        return (
            *(TokenLabel(position=at, kind="special", text="scene") for at in range(context)),
            *(
                TokenLabel(position=context + token, kind="memory", text=text, word=word)
                for token, (text, word) in enumerate(memory)
            ),
        )

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> TextEmbeds:
        """Encode prompts one at a time; an image's seed chooses among several drawings.

        Raises:
            UsageError: If nothing was understood in a prompt.
        """
        guided = self.runs_twice(requests)
        passes = [
            self._tokens(self.reader.labels(request.negative_prompt), request.seed)
            for request in requests
            if guided
        ]
        for request in requests:
            tokens = weighted_sum(
                (self._tokens(self._labels(text), request.seed), weight)
                for text, weight in request.prompts
            )
            tokens[:, sorted(self.left_out), : self.reader.text_encoder.layout.attribute.start] = 0
            passes.append(tokens)
        return TextEmbeds(hidden_states=torch.cat(passes), guided=guided)

    def without_tokens(self, positions: Collection[int]) -> EmbeddedModel:
        """Return the model as it is if these tokens of its prompts say nothing of a thing."""
        return replace(self, left_out=frozenset(positions))

    def _labels(self, prompt: str) -> SceneLabels:
        labels = self.reader.labels(prompt)
        if labels is None:
            raise not_understood(prompt)
        return labels

    def _tokens(self, labels: SceneLabels | None, seed: int) -> Tensor:
        """Return one text's conditioning tokens, (1, tokens, width)."""
        encoder = self.reader.text_encoder
        with running("text_encoder"):
            if labels is None:
                return encoder.encode_nothing().to(self.dtype)
            tokens = encoder.encode(labels, self.reader.drawings.choose(labels, seed))
        return tokens.to(self.dtype)


def not_understood(prompt: str) -> UsageError:
    """Return the error for a prompt that names nothing that the model knows."""
    return UsageError(
        f"The model understands nothing in {excerpt(prompt)!r}.",
        "`sheepgen models info sheepgen --things` lists what it can show; "
        "--model takes other models.",
    )


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> EmbeddedModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return EmbeddedModel.load(spec, device, dtype)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Read a prompt with the text encoder alone."""
    return _reader(spec.checkpoint).reading(text)


@lru_cache(maxsize=2)
def _reader(checkpoint: Checkpoint) -> PromptReader:
    return PromptReader.load(checkpoint)


check_schedule = EmbeddedModel.check_schedule
