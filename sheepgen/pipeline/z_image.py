"""Z-Image (https://arxiv.org/abs/2511.22699), and Z-Image-Turbo, which was distilled from it.

One transformer attends to the prompt's tokens and to the image's, side by side. Its time runs from
0 to 1 and it predicts the negated velocity; guidance in its paper is off at 0, here it is off at 1
as everywhere. Latents stay float32 at every precision of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from diffusers import ZImageTransformer2DModel
from torch import Tensor

from sheepgen.pipeline.building import running
from sheepgen.pipeline.flow import FlowSchedule, linear_mu
from sheepgen.pipeline.flow_model import FlowModel, patches_of
from sheepgen.pipeline.guidance import rescale_guided
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.qwen import THINKING, QwenTextEncoder, load_qwen_tokenizer
from sheepgen.pipeline.qwen import read_prompt as read_qwen_prompt
from sheepgen.pipeline.text_cache import CachedTexts
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["ZImageModel", "ZImageTexts", "check_schedule", "load", "read_prompt"]

_LAYER = -2
"""Of the text encoder's hidden states: those before its last layer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ZImageTexts:
    """What the transformer attends to: for each image a tensor, (tokens, width).

    Args:
        prompts: As many as there are images.
        negatives: Likewise; empty without guidance.
    """

    prompts: tuple[Tensor, ...]
    negatives: tuple[Tensor, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ZImageModel(CachedTexts[str, Tensor], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        text_encoder: Prompt to hidden states.
        transformer: Predicts the negated velocity of latents, (channels, 1, height, width) each.
    """

    text_encoder: QwenTextEncoder
    transformer: ZImageTransformer2DModel
    keeps_float32: ClassVar[bool] = True

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", ZImageTransformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            text_encoder=QwenTextEncoder.load(
                checkpoint, device, dtype, THINKING, limit=spec.max_tokens
            ),
            transformer=transformer.to(device),
        )

    @staticmethod
    def schedule(spec: ModelSpec, request: ResolvedRequest) -> FlowSchedule:
        """Return evenly spaced noise levels, to be shifted by the size."""
        steps = request.num_inference_steps
        return FlowSchedule(
            mu=linear_mu(spec.checkpoint.configs["scheduler"], patches_of(spec, request)),
            sigmas=torch.linspace(1.0, 1 / steps, steps).tolist(),
        )

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return self.text_encoder.read_prompt(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for."""
        return self.text_encoder.token_labels(prompt)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> ZImageTexts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        guided = requests[0].guidance_scale > 1
        return ZImageTexts(
            prompts=tuple(self.encode_cached(request.prompt) for request in requests),
            negatives=tuple(
                self.encode_cached(request.negative_prompt) for request in requests if guided
            ),
        )

    def _encode_text(self, text: str) -> Tensor:
        """Return what the text encoder makes of a text, (tokens, width)."""
        states, mask = self.text_encoder.hidden_states(text)
        return states[_LAYER][0][mask[0]]

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: ZImageTexts, guidance: Guidance
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width), float32."""
        texts, latents = conditioning.prompts, model_input.to(self.dtype)
        # Backwards: 0 is noise, and 1 the image.
        time = (1000 - timestep.expand(len(latents))) / 1000  # (batch,)
        if conditioning.negatives:
            texts += conditioning.negatives
            latents, time = latents.repeat(2, 1, 1, 1), time.repeat(2)
        with running("transformer"):
            predictions = self.transformer(
                [*latents.unsqueeze(2).unbind()],  # each (channels, 1, height, width)
                time,
                [*texts],
                return_dict=False,
            )[0]
        prediction = torch.stack([each.float() for each in predictions]).squeeze(2)
        if conditioning.negatives:
            text, negative = prediction.chunk(2)
            # diffusers' order, whose scale w is off at 0: text + w * (text - negative)
            prediction = text + (guidance.scale - 1) * (text - negative)
            prediction = rescale_guided(prediction, text, guidance.rescale)
        return -prediction


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    tokenizer = load_qwen_tokenizer(spec.checkpoint)
    return read_qwen_prompt(tokenizer, text, THINKING, spec.max_tokens)


load = ZImageModel.load
check_schedule = ZImageModel.check_schedule
