"""Earlier embedded models: Stable Diffusion's layout, and more in it.

Its text encoder puts tokens of its own after the prompt's, which the U-Net attends to, and a small
decoder makes step frames cheap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch.nn import functional

from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.models.families import PREVIEW_COMPONENT
from sheepgen.pipeline.family import TokenLabel
from sheepgen.pipeline.latent_model import check_schedule
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.stable_diffusion import StableDiffusionModel, read_prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from sheepgen.models.spec import ModelSpec

__all__ = ["ClipEmbeddedModel", "check_schedule", "load", "read_prompt"]


@dataclass(frozen=True, kw_only=True)
class ClipEmbeddedModel(StableDiffusionModel):
    """A loaded model whose text encoder may add tokens, and which may have a preview decoder."""

    preview_decoder: PreviewDecoder | None = None

    @staticmethod
    def load_components(
        spec: ModelSpec, device: torch.device, dtype: torch.dtype
    ) -> dict[str, Any]:
        """Load all components, by the names of the fields."""
        components = StableDiffusionModel.load_components(spec, device, dtype)
        checkpoint = spec.checkpoint
        if PREVIEW_COMPONENT in checkpoint.configs:
            decoder = load_diffusers(checkpoint, PREVIEW_COMPONENT, PreviewDecoder, dtype)
            components[PREVIEW_COMPONENT] = decoder.to(device)
        return components

    def token_labels(self, prompt: str) -> Sequence[TokenLabel]:
        """Return what the encoded tokens stand for: the prompt's, then those the encoder adds."""
        added = range(self.spec.max_tokens, self.spec.encoded_tokens)
        memory = [TokenLabel(position=position, kind="memory") for position in added]
        return (*super().token_labels(prompt), *memory)

    def _tokenize(self, text: str) -> tuple[Tensor, Tensor]:
        """Return token ids and which of them are attended to, (1, encoded_tokens) each.

        The encoder's own tokens come after the prompt's, as padding.
        """
        ids, attention_mask = super()._tokenize(text)
        added = (0, self.spec.encoded_tokens - self.spec.max_tokens)
        ids = functional.pad(ids, added, value=self.tokenizer.pad_token_id)
        return ids, functional.pad(attention_mask, added)


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> ClipEmbeddedModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return ClipEmbeddedModel.load(spec, device, dtype)
