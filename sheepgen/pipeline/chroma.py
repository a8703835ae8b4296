"""Chroma: FLUX.1 schnell made smaller, guided again, and trained on (Apache-2.0).

The transformer attends to T5's reading of the prompt alone, to no more than one token of its
padding, and to patches of the latents. What FLUX.1 computes from the time and the guidance in each
of its layers, one small network computes here. It runs with and without the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from diffusers import ChromaTransformer2DModel

from sheepgen.pipeline.building import running
from sheepgen.pipeline.flow_model import FlowModel
from sheepgen.pipeline.guidance import rescale_guided
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.patches import pack, positions, unpack
from sheepgen.pipeline.t5 import T5TextEncoder, load_t5_tokenizer
from sheepgen.pipeline.text_cache import CachedTexts, MaskedText, join_texts
from sheepgen.pipeline.tokens import measure_text
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["ChromaModel", "ChromaTexts", "check_schedule", "load", "read_prompt"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChromaTexts:
    """What the transformer attends to.

    Args:
        prompts: Of the batch.
        negatives: Likewise; None without guidance.
    """

    prompts: MaskedText
    negatives: MaskedText | None = None


@dataclass(frozen=True, kw_only=True)
class ChromaModel(CachedTexts[str, MaskedText], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        text_encoder: Of T5.
        transformer: Predicts the velocity of patches, (batch, patches, channels).
    """

    text_encoder: T5TextEncoder
    transformer: ChromaTransformer2DModel

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", ChromaTransformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            text_encoder=T5TextEncoder.load(
                checkpoint, device, dtype, suffix="", limit=spec.max_tokens, reads_padding=False
            ),
            transformer=transformer.to(device),
        )

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return self.text_encoder.read_prompt(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for."""
        return self.text_encoder.token_labels(prompt)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> ChromaTexts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        prompts = join_texts(self.encode_cached(request.prompt) for request in requests)
        if requests[0].guidance_scale <= 1:
            return ChromaTexts(prompts=prompts)
        negatives = join_texts(self.encode_cached(each.negative_prompt) for each in requests)
        return ChromaTexts(prompts=prompts, negatives=negatives)

    def _encode_text(self, text: str) -> MaskedText:
        """Return what the text encoder makes of a text."""
        states, tokens = self.text_encoder.encode(text)
        # The text, and one token of the padding.
        mask = torch.arange(states.shape[1]) <= tokens.sum(dim=1, keepdim=True)
        return MaskedText(states, mask.to(self.device, self.dtype))

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: ChromaTexts, guidance: Guidance
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width)."""
        text = self._velocity(model_input, timestep, conditioning.prompts)
        if conditioning.negatives is None:
            return text
        negative = self._velocity(model_input, timestep, conditioning.negatives)
        guided = negative + guidance.scale * (text - negative)
        return rescale_guided(guided, text, guidance.rescale)

    def _velocity(self, model_input: Tensor, timestep: Tensor, texts: MaskedText) -> Tensor:
        batch, _, height, width = model_input.shape
        patches = pack(model_input)
        # Words are without positions.
        words = torch.zeros(texts.states.shape[1], 3, device=self.device, dtype=self.dtype)
        mask = torch.cat([texts.mask, texts.mask.new_ones(patches.shape[:2])], dim=1)
        with running("transformer"):
            velocity: Tensor = self.transformer(
                hidden_states=patches,
                timestep=timestep.expand(batch).to(self.dtype) / 1000,
                encoder_hidden_states=texts.states,
                txt_ids=words,
                img_ids=positions(height, width, self.device).to(self.dtype),
                attention_mask=mask,
                return_dict=False,
            )[0]
        return unpack(velocity, height, width)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    return measure_text(load_t5_tokenizer(spec.checkpoint, ""), text, spec.max_tokens)


load = ChromaModel.load
check_schedule = ChromaModel.check_schedule
