"""FLUX.1 (https://arxiv.org/abs/2506.15742): schnell, dev, and what was trained from them.

A transformer attends to T5's reading of the prompt and to patches of the latents, and is given
CLIP's summary of the prompt. Dev was distilled to read the guidance scale, and schnell to need
none. Both can be guided by two passes, too, where a negative prompt is worth twice the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from diffusers import FluxTransformer2DModel
from transformers import CLIPTextModel

from sheepgen.pipeline.building import running
from sheepgen.pipeline.clip import encode_text, load_clip
from sheepgen.pipeline.flow_model import FlowModel
from sheepgen.pipeline.guidance import rescale_guided
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.patches import pack, positions, unpack
from sheepgen.pipeline.t5 import T5TextEncoder, load_t5_tokenizer
from sheepgen.pipeline.text_cache import BlendedTexts, join_texts
from sheepgen.pipeline.tokens import measure_text
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["Flux1Model", "Flux1Texts", "check_schedule", "load", "read_prompt"]


class _Encoded(NamedTuple):
    """Texts.

    Args:
        states: (batch, tokens, width of T5).
        pooled: (batch, width of CLIP).
    """

    states: Tensor
    pooled: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Flux1Texts:
    """What the transformer attends to.

    Args:
        prompts: Of the batch.
        negatives: Likewise; None without a second pass.
        true_cfg: How strongly the prompts are preferred to the negatives.
    """

    prompts: _Encoded
    negatives: _Encoded | None = None
    true_cfg: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Flux1Model(BlendedTexts[_Encoded], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        tokenizer: Of CLIP.
        text_encoder: Of CLIP; only its summary is used.
        text_encoder_2: Of T5.
        transformer: Predicts the velocity of patches, (batch, patches, channels).
    """

    tokenizer: PreTrainedTokenizerBase
    text_encoder: CLIPTextModel
    text_encoder_2: T5TextEncoder
    transformer: FluxTransformer2DModel

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", FluxTransformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            **load_clip(checkpoint, CLIPTextModel, device, dtype),
            text_encoder_2=T5TextEncoder.load(
                checkpoint, device, dtype, suffix="_2", limit=spec.max_tokens
            ),
            transformer=transformer.to(device),
        )

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words T5 does not read."""
        return self.text_encoder_2.read_prompt(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what T5's tokens stand for."""
        return self.text_encoder_2.token_labels(prompt)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> Flux1Texts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If a text encoder does not know all of its tokenizer's tokens.
        """
        scale = requests[0].true_cfg
        prompts = join_texts(self.encode_prompt(request) for request in requests)
        if scale <= 1:
            return Flux1Texts(prompts=prompts)
        negatives = join_texts(self.encode_cached(request.negative_prompt) for request in requests)
        return Flux1Texts(prompts=prompts, negatives=negatives, true_cfg=scale)

    def _encode_text(self, text: str) -> _Encoded:
        """Return what both text encoders make of a text."""
        limit = self.tokenizer.model_max_length
        summary = encode_text(self.tokenizer, self.text_encoder, text, limit=limit).pooler_output
        return _Encoded(self.text_encoder_2.encode(text)[0], summary)

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: Flux1Texts, guidance: Guidance
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width)."""
        with self.transformer.cache_context("cond"):
            text = self._velocity(model_input, timestep, conditioning.prompts, guidance)
        if conditioning.negatives is None:
            return text
        with self.transformer.cache_context("uncond"):
            negative = self._velocity(model_input, timestep, conditioning.negatives, guidance)
        guided = negative + conditioning.true_cfg * (text - negative)
        return rescale_guided(guided, text, guidance.rescale)

    def _velocity(
        self, model_input: Tensor, timestep: Tensor, texts: _Encoded, guidance: Guidance
    ) -> Tensor:
        batch, _, height, width = model_input.shape
        scale = None
        if self.transformer.config.guidance_embeds:
            scale = torch.full([batch], guidance.scale, device=self.device, dtype=torch.float32)
        # Words are without positions.
        words = torch.zeros(texts.states.shape[1], 3, device=self.device, dtype=self.dtype)
        with running("transformer"):
            velocity: Tensor = self.transformer(
                hidden_states=pack(model_input),
                timestep=timestep.expand(batch).to(self.dtype) / 1000,
                guidance=scale,
                pooled_projections=texts.pooled,
                encoder_hidden_states=texts.states,
                txt_ids=words,
                img_ids=positions(height, width, self.device).to(self.dtype),
                return_dict=False,
            )[0]
        return unpack(velocity, height, width)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with T5's tokenizer alone."""
    return measure_text(load_t5_tokenizer(spec.checkpoint, "_2"), text, spec.max_tokens)


load = Flux1Model.load
check_schedule = Flux1Model.check_schedule
