"""Lumina-Image 2.0 (https://arxiv.org/abs/2503.21758): one transformer for words and patches.

Gemma 2 reads the prompt after a system prompt, and the transformer attends to both. Its time runs
from 0 to 1 and it predicts the negated velocity. It runs with and without the prompt; guidance
keeps the length of each row of latents, as in diffusers' pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from diffusers import Lumina2Transformer2DModel

from sheepgen.pipeline.building import running
from sheepgen.pipeline.flow import FlowSchedule, linear_mu
from sheepgen.pipeline.flow_model import FlowModel
from sheepgen.pipeline.gemma import (
    GemmaTextEncoder,
    InstructedText,
    Instruction,
    load_gemma_tokenizer,
)
from sheepgen.pipeline.guidance import rescale_guided
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.text_cache import CachedTexts, MaskedText, join_texts
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

__all__ = ["Lumina2Model", "Lumina2Texts", "check_schedule", "load", "read_prompt"]

_SYSTEM_PROMPT = (
    "You are an assistant designed to generate superior images with the superior degree of "
    "image-text alignment based on textual prompts or user prompts. <Prompt Start> "
)
"""What the model was trained with, and the mark after it."""

_LAYER = -2
"""Of the text encoder's hidden states: those before its last layer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lumina2Texts:
    """What the transformer attends to.

    Args:
        prompts: Of the batch.
        negatives: Likewise; None without guidance.
        guided_until: The scheduler's timestep after which there is none; None if there always is.
    """

    prompts: MaskedText
    negatives: MaskedText | None = None
    guided_until: float | None = None


@dataclass(frozen=True, kw_only=True)
class Lumina2Model(CachedTexts[InstructedText, MaskedText], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        text_encoder: Of Gemma 2.
        transformer: Predicts the negated velocity of latents, (batch, channels, height, width).
    """

    text_encoder: GemmaTextEncoder
    transformer: Lumina2Transformer2DModel

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", Lumina2Transformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            text_encoder=GemmaTextEncoder.load(checkpoint, device, dtype),
            transformer=transformer.to(device),
        )

    @staticmethod
    def schedule(spec: ModelSpec, request: ResolvedRequest) -> FlowSchedule:
        """Return evenly spaced noise levels, 1 to 1/steps.

        Where a model shifts them by the size, diffusers' pipeline takes the number of channels for
        it. The images people know are made that way, so it is the same here.
        """
        steps, configs = request.num_inference_steps, spec.checkpoint.configs
        return FlowSchedule(
            mu=linear_mu(configs["scheduler"], configs["transformer"]["in_channels"]),
            sigmas=np.linspace(1.0, 1 / steps, steps).tolist(),
        )

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return _instruction(self.spec).read_prompt(self.text_encoder.tokenizer, text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for."""
        return _instruction(self.spec).token_labels(self.text_encoder.tokenizer, prompt)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> Lumina2Texts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        instruction = _instruction(self.spec)
        prompts = join_texts(self.encode_cached((each.prompt, instruction)) for each in requests)
        guided = self._guided_timesteps(requests[0])
        if not guided:
            return Lumina2Texts(prompts=prompts)
        empty = Instruction("", instruction.limit)
        negatives = (self.encode_cached((each.negative_prompt, empty)) for each in requests)
        return Lumina2Texts(
            prompts=prompts,
            negatives=join_texts(negatives),
            guided_until=guided[-1] if requests[0].guidance_end < 1 else None,
        )

    def _guided_timesteps(self, request: ResolvedRequest) -> list[float]:
        """Return the scheduler's timesteps that are guided: a share of them, from the first on."""
        if request.guidance_scale <= 1:
            return []
        timesteps = self.build_scheduler(request).timesteps.tolist()
        # Truncated as diffusers' pipeline does.
        return [
            timestep
            for number, timestep in enumerate(timesteps, 1)
            if number / len(timesteps) <= request.guidance_end
        ]

    def _encode_text(self, text: InstructedText) -> MaskedText:
        """Return what the text encoder makes of a text."""
        states, mask = self.text_encoder.hidden_states(*text)
        return MaskedText(states[_LAYER], mask)

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: Lumina2Texts, guidance: Guidance
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width)."""
        # Backwards: 0 is noise, and 1 the image.
        time = 1 - timestep / self.scheduler_config.get("num_train_timesteps", 1000)
        text = self._run(model_input, time, conditioning.prompts)
        until = conditioning.guided_until
        if conditioning.negatives is None or (until is not None and timestep < until):
            return -text
        negative = self._run(model_input, time, conditioning.negatives)
        guided = negative + guidance.scale * (text - negative)
        # Rows along the width, (batch, channels, height, 1).
        lengths = (torch.norm(each, dim=-1, keepdim=True) for each in (text, guided))
        guided = guided * torch.div(*lengths)
        return -rescale_guided(guided, text, guidance.rescale)

    def _run(self, latents: Tensor, time: Tensor, texts: MaskedText) -> Tensor:
        """Return the negated velocity."""
        with running("transformer"):
            prediction: Tensor = self.transformer(
                hidden_states=latents,
                timestep=time.expand(len(latents)),
                encoder_hidden_states=texts.states,
                encoder_attention_mask=texts.mask,
                return_dict=False,
            )[0]
        return prediction


def _instruction(spec: ModelSpec) -> Instruction:
    return Instruction(_SYSTEM_PROMPT, spec.max_tokens)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    return _instruction(spec).read_prompt(load_gemma_tokenizer(spec.checkpoint), text)


load = Lumina2Model.load
check_schedule = Lumina2Model.check_schedule
