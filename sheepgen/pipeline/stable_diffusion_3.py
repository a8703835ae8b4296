"""Stable Diffusion 3 and 3.5 (https://arxiv.org/abs/2403.03206).

Three text encoders read the prompt. Both of CLIP's are put side by side, and T5's tokens after
them; the transformer attends to all, and is given CLIP's two summaries of the text. It was trained
to do without T5, too, with zeros in its place (section 5.3.3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

import torch
from diffusers import SD3Transformer2DModel
from torch.nn.functional import pad
from transformers import CLIPTextModelWithProjection

from sheepgen.pipeline import clip
from sheepgen.pipeline.building import running
from sheepgen.pipeline.chunk_tokens import measure_prompt
from sheepgen.pipeline.clip import encode_text, load_clip
from sheepgen.pipeline.flow import FlowSchedule, linear_mu
from sheepgen.pipeline.flow_model import FlowModel, patches_of
from sheepgen.pipeline.guidance import apply_guidance
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.t5 import T5TextEncoder, load_t5_tokenizer
from sheepgen.pipeline.text_cache import BlendedTexts, join_texts
from sheepgen.pipeline.tokens import TokenLabel, measure_text, token_labels
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "StableDiffusion3Model",
    "StableDiffusion3Texts",
    "check_schedule",
    "load",
    "read_prompt",
]

_LAYER = -2
"""Of CLIP's hidden states: those before its last layer."""

_T5, _T5_TOKENS = "text_encoder_3", 256

_ZEROS = "zeros"
"""What the positions are called that T5 would have filled."""


class _Encoded(NamedTuple):
    """One text.

    Args:
        states: (1, tokens, width of T5).
        pooled: (1, width of both of CLIP's summaries).
    """

    states: Tensor
    pooled: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class StableDiffusion3Texts:
    """What the transformer attends to.

    Args:
        states: (passes * batch, tokens, width), the negative prompts first if there are two passes.
        pooled: (passes * batch, width).
        guided: Whether there are.
    """

    states: Tensor
    pooled: Tensor
    guided: bool


@dataclass(frozen=True, kw_only=True)
class StableDiffusion3Model(BlendedTexts[_Encoded], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        tokenizer: Of the first of CLIP's text encoders.
        text_encoder: The first of them.
        tokenizer_2: Of the second.
        text_encoder_2: The second.
        text_encoder_3: Of T5; None if the model has none.
        transformer: Predicts the velocity of latents, (batch, channels, height, width).
    """

    tokenizer: PreTrainedTokenizerBase
    text_encoder: CLIPTextModelWithProjection
    tokenizer_2: PreTrainedTokenizerBase
    text_encoder_2: CLIPTextModelWithProjection
    text_encoder_3: T5TextEncoder | None
    transformer: SD3Transformer2DModel

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", SD3Transformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            **load_clip(checkpoint, CLIPTextModelWithProjection, device, dtype),
            **load_clip(checkpoint, CLIPTextModelWithProjection, device, dtype, suffix="_2"),
            text_encoder_3=T5TextEncoder.load(
                checkpoint, device, dtype, suffix="_3", limit=spec.max_tokens
            )
            if _T5 in checkpoint.classes
            else None,
            transformer=transformer.to(device),
        )

    @staticmethod
    def schedule(spec: ModelSpec, request: ResolvedRequest) -> FlowSchedule:
        """Return the scheduler's own noise levels, to be shifted by the size."""
        config = spec.checkpoint.configs["scheduler"]
        return FlowSchedule(mu=linear_mu({"max_shift": 1.16, **config}, patches_of(spec, request)))

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words T5 does not read, or CLIP without it."""
        if self.text_encoder_3 is None:
            return measure_prompt(self.tokenizer, text, self.spec.max_tokens, PLAIN)
        return self.text_encoder_3.read_prompt(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what CLIP's tokens stand for, and T5's after them, or the zeros in their place."""
        first = self.tokenizer.model_max_length
        if self.text_encoder_3 is None:
            zeros = TokenLabel(position=0, kind="padding", text=_ZEROS)
            after: Sequence[TokenLabel] = [replace(zeros, position=at) for at in range(_T5_TOKENS)]
        else:
            after = self.text_encoder_3.token_labels(prompt)
        return (
            *token_labels(self.tokenizer, prompt, first),
            *(replace(label, position=first + label.position) for label in after),
        )

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> StableDiffusion3Texts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If a text encoder does not know all of its tokenizer's tokens.
        """
        guided = requests[0].guidance_scale > 1
        texts = [self.encode_cached(request.negative_prompt) for request in requests if guided]
        texts += [self.encode_prompt(request) for request in requests]
        return StableDiffusion3Texts(**join_texts(texts)._asdict(), guided=guided)

    def _encode_text(self, text: str) -> _Encoded:
        """Return what the text encoders make of a text."""
        both = [
            encode_text(
                tokenizer,
                text_encoder,
                text,
                limit=self.tokenizer.model_max_length,
                component=component,
                hidden_states=True,
            )
            for component, tokenizer, text_encoder in (
                ("text_encoder", self.tokenizer, self.text_encoder),
                ("text_encoder_2", self.tokenizer_2, self.text_encoder_2),
            )
        ]
        words = torch.cat([each.hidden_states[_LAYER] for each in both], dim=-1)
        width = self.transformer.config.joint_attention_dim
        words = pad(words, (0, width - words.shape[-1]))
        if self.text_encoder_3 is None:
            read = words.new_zeros(1, _T5_TOKENS, width)
        else:
            read, _ = self.text_encoder_3.encode(text)
        return _Encoded(
            torch.cat([words, read], dim=1), torch.cat([each.text_embeds for each in both], dim=-1)
        )

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,
        conditioning: StableDiffusion3Texts,
        guidance: Guidance,
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width)."""
        if conditioning.guided:
            model_input = torch.cat([model_input] * 2)
        with running("transformer"):
            velocity: Tensor = self.transformer(
                hidden_states=model_input,
                timestep=timestep.expand(len(model_input)),
                encoder_hidden_states=conditioning.states,
                pooled_projections=conditioning.pooled,
                return_dict=False,
            )[0]
        return apply_guidance(velocity, guidance) if conditioning.guided else velocity


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with T5's tokenizer alone, or without one with CLIP's."""
    if _T5 not in spec.checkpoint.classes:
        return clip.read_prompt(spec, text)
    return measure_text(load_t5_tokenizer(spec.checkpoint, "_3"), text, spec.max_tokens)


load = StableDiffusion3Model.load
check_schedule = StableDiffusion3Model.check_schedule
