"""Stable Diffusion 1.x and 2.x: a CLIP text encoder, a U-Net on latents, and a VAE.

Also models in its layout that were distilled with guidance and read the scale as an input
(Latent Consistency, https://arxiv.org/abs/2310.04378).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import torch
from transformers import CLIPTextModel

from sheepgen.pipeline.clip import (
    ClipLatentModel,
    TextCache,
    encode_text,
    load_clip,
    read_prompt,
)
from sheepgen.pipeline.latent_model import TextEmbeds, check_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ResolvedRequest

__all__ = [
    "StableDiffusionModel",
    "check_schedule",
    "load",
    "read_prompt",
]


@dataclass(frozen=True, kw_only=True)
class StableDiffusionModel(ClipLatentModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`."""

    _encoded: TextCache[Tensor] = field(
        default_factory=TextCache, init=False, repr=False, compare=False
    )

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        return cls(
            **load_clip(spec.checkpoint, CLIPTextModel, device, dtype),
            **cls.load_components(spec, device, dtype),
        )

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> TextEmbeds:
        """Encode prompts as diffusers' pipeline does, one at a time; what does not fit is cut off.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        guided = self.runs_twice(requests)
        texts = [request.negative_prompt for request in requests] if guided else []
        texts += [request.prompt for request in requests]
        return TextEmbeds(
            hidden_states=torch.cat([self._encode_text(text) for text in texts]), guided=guided
        )

    def _encode_text(self, text: str) -> Tensor:
        """Return one text's embeddings, (1, tokens, hidden_size), from memory if they are there."""
        if (encoded := self._encoded.get(text)) is not None:
            return encoded
        embeds = encode_text(self.tokenizer, self.text_encoder, text, limit=self.spec.max_tokens)[0]
        return self._encoded.keep(text, embeds.to(self.dtype))


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> StableDiffusionModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return StableDiffusionModel.load(spec, device, dtype)
