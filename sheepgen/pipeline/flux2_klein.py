"""FLUX.2 klein (https://bfl.ai/models/flux-2-klein), distilled and base.

The smaller FLUX.2: a transformer attends to the prompt's tokens and to the image's. Its latents are
patches of two by two of the VAE's, normalised to zero mean and unit variance. The base model is
guided by two passes, one after the other; the distilled one knows no guidance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from diffusers import Flux2Transformer2DModel
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sheepgen.pipeline.building import running
from sheepgen.pipeline.flow import FlowSchedule
from sheepgen.pipeline.flow_model import FlowModel, patches_of
from sheepgen.pipeline.guidance import rescale_guided
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.qwen import NOT_THINKING, QwenTextEncoder, load_qwen_tokenizer
from sheepgen.pipeline.qwen import read_prompt as read_qwen_prompt
from sheepgen.pipeline.text_cache import BlendedTexts
from sheepgen.pipeline.vae import decode_latents, encode_pixels
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["Flux2KleinModel", "Flux2Texts", "check_schedule", "load", "read_prompt"]

_LAYERS = (9, 18, 27)
"""Of the text encoder, whose hidden states are put side by side."""

_PATCH = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Flux2Texts:
    """What the transformer attends to.

    Args:
        prompts: (batch, tokens, width of three layers).
        negatives: Likewise; None without guidance.
    """

    prompts: Tensor
    negatives: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Flux2KleinModel(BlendedTexts[Tensor], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        text_encoder: Prompt to hidden states.
        transformer: Predicts the velocity of patches, (batch, patches, channels).
    """

    text_encoder: QwenTextEncoder
    transformer: Flux2Transformer2DModel

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", Flux2Transformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            text_encoder=QwenTextEncoder.load(
                checkpoint, device, dtype, NOT_THINKING, limit=spec.max_tokens
            ),
            transformer=transformer.to(device),
        )

    @staticmethod
    def schedule(spec: ModelSpec, request: ResolvedRequest) -> FlowSchedule:
        """Return evenly spaced noise levels, to be shifted by the size."""
        steps = request.num_inference_steps
        return FlowSchedule(
            mu=compute_empirical_mu(patches_of(spec, request), steps),
            sigmas=np.linspace(1.0, 1 / steps, steps).tolist(),
        )

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return self.text_encoder.read_prompt(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for; padding, which is attended to, comes after them."""
        return self.text_encoder.token_labels(prompt, padded=True)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> Flux2Texts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        prompts = torch.cat([self.encode_prompt(request) for request in requests])
        if self.spec.guidance == "none" or requests[0].guidance_scale <= 1:
            return Flux2Texts(prompts=prompts)
        negatives = [self.encode_cached(request.negative_prompt) for request in requests]
        return Flux2Texts(prompts=prompts, negatives=torch.cat(negatives))

    def _encode_text(self, text: str) -> Tensor:
        """Return what the text encoder makes of a text, (1, tokens, width of three layers)."""
        states, _ = self.text_encoder.hidden_states(text)
        return torch.cat([states[layer] for layer in _LAYERS], dim=-1)

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, channels, height, width) of the patches, float32."""
        side = self.spec.size_multiple
        shape = (1, self.transformer.config.in_channels, height // side, width // side)
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: Flux2Texts, guidance: Guidance
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width)."""
        with self.transformer.cache_context("cond"):
            text = self._velocity(model_input, timestep, conditioning.prompts)
        if conditioning.negatives is None:
            return text
        with self.transformer.cache_context("uncond"):
            negative = self._velocity(model_input, timestep, conditioning.negatives)
        guided = negative + guidance.scale * (text - negative)
        return rescale_guided(guided, text, guidance.rescale)

    def _velocity(self, model_input: Tensor, timestep: Tensor, texts: Tensor) -> Tensor:
        batch, _, height, width = model_input.shape
        patches = model_input.flatten(2).transpose(1, 2)  # (batch, height * width, channels)
        # Positions are (time, row, column, place in the text).
        count = partial(torch.arange, device=self.device)
        one = count(1)
        places = torch.cartesian_prod(one, count(height), count(width), one)
        words = torch.cartesian_prod(one, one, one, count(texts.shape[1]))
        with running("transformer"):
            velocity: Tensor = self.transformer(
                hidden_states=patches.to(self.dtype),
                timestep=timestep.expand(batch).to(self.dtype) / 1000,
                guidance=None,
                encoder_hidden_states=texts,
                txt_ids=words.expand(batch, -1, -1),
                img_ids=places.expand(batch, -1, -1),
                return_dict=False,
            )[0]
        return velocity.transpose(1, 2).reshape(model_input.shape)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1."""
        mean, deviation = self._moments(latents)
        return decode_latents(self.vae, pixel_shuffle(latents * deviation + mean, _PATCH))

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the latents of pixels, (batch, 3, height, width), -1 to 1; draws nothing."""
        del generator
        latents = pixel_unshuffle(encode_pixels(self.vae, pixels, None), _PATCH)
        mean, deviation = self._moments(latents)
        return (latents - mean) / deviation

    def _moments(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the VAE's patches, (1, channels, 1, 1)."""
        norm = self.vae.bn
        deviation = torch.sqrt(norm.running_var + self.vae.config.batch_norm_eps)
        return (
            norm.running_mean.view(1, -1, 1, 1).to(latents),
            deviation.view(1, -1, 1, 1).to(latents),
        )


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    tokenizer = load_qwen_tokenizer(spec.checkpoint)
    return read_qwen_prompt(tokenizer, text, NOT_THINKING, spec.max_tokens)


load = Flux2KleinModel.load
check_schedule = Flux2KleinModel.check_schedule
