"""Stable Diffusion 1.x and 2.x: a CLIP text encoder, a U-Net on latents, and a VAE.

Also models in its layout that were distilled with guidance and read the scale as an input
(Latent Consistency, https://arxiv.org/abs/2310.04378).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from transformers import CLIPTextModel

from sheepgen.pipeline.clip import load_clip, read_prompt
from sheepgen.pipeline.clip_latent_model import ClipLatentModel, EncodedText, encode_prompt
from sheepgen.pipeline.latent_model import TextEmbeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.models.spec import ModelSpec
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "StableDiffusionModel",
    "check_schedule",
    "load",
    "read_prompt",
]


@dataclass(frozen=True, kw_only=True)
class StableDiffusionModel(ClipLatentModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`."""

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        return cls(
            **load_clip(spec.checkpoint, CLIPTextModel, device, dtype),
            **cls.load_components(spec, device, dtype),
        )

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> TextEmbeds:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Of a negative prompt the same layer is read as of the prompt. (There, ``clip_skip`` is for
        the prompt alone.)

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        guided = self.runs_twice(requests)
        passes = [[*map(self.encode_prompts, requests)]]
        if guided:
            negatives = [self.encode_cached(each.negative_prompt, each) for each in requests]
            passes.insert(0, negatives)
        states, read = self.join(passes, requests[0])
        return TextEmbeds(hidden_states=states, guided=guided, read=read)

    def _encode_text(self, text: str, form: PromptFormat, clip_skip: int) -> EncodedText:
        encoded = encode_prompt(
            self.tokenizer,
            self.text_encoder,
            text,
            form,
            limit=self.spec.max_tokens,
            layer=clip_skip,
        )
        return EncodedText(encoded.states.to(self.dtype), encoded.pooled.to(self.dtype))


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> StableDiffusionModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return StableDiffusionModel.load(spec, device, dtype)


check_schedule = StableDiffusionModel.check_schedule
