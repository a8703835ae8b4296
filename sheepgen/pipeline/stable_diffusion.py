"""Stable Diffusion 1.x and 2.x: a CLIP text encoder, a U-Net on latents, and a VAE.

Also models in its layout that were distilled with guidance and read the scale as an input
(Latent Consistency, https://arxiv.org/abs/2310.04378).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from sheepgen.errors import ModelError
from sheepgen.pipeline.building import running
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.guidance import apply_guidance, guidance_embedding
from sheepgen.pipeline.loading import load_diffusers, load_text_encoder, load_tokenizer
from sheepgen.pipeline.process import DiffusionProcess
from sheepgen.pipeline.scheduler import build_scheduler, check_steps, set_timesteps
from sheepgen.pipeline.tokens import measure_text, token_labels
from sheepgen.pipeline.vae import decode_latents, encode_pixels
from sheepgen.schedulers import prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from diffusers import SchedulerMixin
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import Guidance, TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.request import ResolvedRequest

__all__ = [
    "StableDiffusionModel",
    "TextEmbeds",
    "UNetDenoiser",
    "check_schedule",
    "load",
    "read_prompt",
]

_AUTOENCODERS = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}

_CLIP_SETTINGS = (
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "projection_dim",
    "use_attention_mask",
    "vocab_size",
)

_CACHED_TEXTS = 64
"""Encoded texts that a model keeps: 15 MB for Stable Diffusion 1, 110 MB for the embedded model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextEmbeds:
    """What the U-Net attends to.

    Args:
        hidden_states: (passes * batch, tokens, width), those of the negative prompts first if there
            are two passes.
        guided: Whether there are.
    """

    hidden_states: Tensor
    guided: bool


@dataclass(frozen=True, slots=True)
class UNetDenoiser:
    """A U-Net as the loop takes it: a `sheepgen.pipeline.family.Denoiser`."""

    unet: UNet2DConditionModel
    process: DiffusionProcess

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: TextEmbeds, guidance: Guidance
    ) -> Tensor:
        """Return the guided prediction, (batch, channels, height, width)."""
        timestep_cond = None
        if (size := self.unet.config.time_cond_proj_dim) is not None:
            timestep_cond = guidance_embedding(guidance.scale, size)  # (1, size)
            timestep_cond = timestep_cond.to(model_input.device, model_input.dtype)
        guided = conditioning.guided
        with running("unet"):
            prediction: Tensor = self.unet(
                torch.cat([model_input] * 2) if guided else model_input,
                timestep,
                encoder_hidden_states=conditioning.hidden_states,
                timestep_cond=timestep_cond,
                return_dict=False,
            )[0]  # (passes * batch, channels, height, width)
        return apply_guidance(prediction, guidance) if guided else prediction


@dataclass(frozen=True, kw_only=True)
class StableDiffusionModel:
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        spec: The model that the components are from.
        device: Where they are.
        dtype: Precision of the weights.
        tokenizer: Prompt to token ids.
        text_encoder: Token ids to embeddings, (batch, tokens, hidden_size).
        unet: Predicts the noise in latents, (batch, channels, height, width), or what
            `sheepgen.schedulers.prediction_type_of` says.
        vae: Latents to pixels and back.
        scheduler_config: Of the folder's scheduler. Schedulers hold the state of a run, so each run
            builds a fresh one from this.
        preview_decoder: Latents to small pictures, cheaply; few models have one.
    """

    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    tokenizer: PreTrainedTokenizerBase
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL | AutoencoderTiny
    scheduler_config: Mapping[str, Any]
    preview_decoder: Callable[[Tensor], Tensor] | None = None
    _encoded: OrderedDict[str, Tensor] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        components = cls._load_components(spec, device, dtype)
        return cls(spec=spec, device=device, dtype=dtype, **components)

    @classmethod
    def _load_components(
        cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype
    ) -> dict[str, Any]:
        checkpoint = spec.checkpoint
        vae_class = _AUTOENCODERS[checkpoint.classes["vae"]]
        networks = {
            "text_encoder": load_text_encoder(
                checkpoint, "text_encoder", CLIPTextModel, _CLIP_SETTINGS, dtype
            ),
            "unet": load_diffusers(checkpoint, "unet", UNet2DConditionModel, dtype),
            "vae": load_diffusers(checkpoint, "vae", vae_class, dtype),
        }
        return {
            **{name: network.to(device) for name, network in networks.items()},
            "tokenizer": load_tokenizer(checkpoint, "tokenizer", CLIPTokenizer),
            "scheduler_config": MappingProxyType(checkpoint.configs["scheduler"]),
        }

    @property
    def info(self) -> ModelInfo:
        """What callers need to know."""
        reads_scale = self.unet.config.time_cond_proj_dim is not None
        # The decoder's last layers hold one number for each pixel and channel, before a
        # convolution and after it.
        channels: int = self.vae.config.block_out_channels[0]
        return ModelInfo(
            guidance="embedded" if reads_scale else "two passes",
            latents_dtype=self.dtype,
            bytes_per_pixel=2 * channels * self.dtype.itemsize,
        )

    @property
    def process(self) -> DiffusionProcess:
        """What the U-Net predicts."""
        return DiffusionProcess(prediction_type_of(self.scheduler_config))

    def read_prompt(self, text: str) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_text(self.tokenizer, text, self.spec.max_tokens)

    def token_labels(self, prompt: str) -> Sequence[TokenLabel]:
        """Return what the encoded tokens stand for."""
        return token_labels(self.tokenizer, prompt, self.spec.max_tokens)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> TextEmbeds:
        """Encode prompts as diffusers' pipeline does, one at a time; what does not fit is cut off.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        # All requests of a batch have one guidance.
        guided = self.info.guidance == "two passes" and requests[0].guidance_scale > 1
        texts = [request.negative_prompt for request in requests] if guided else []
        texts += [request.prompt for request in requests]
        return TextEmbeds(
            hidden_states=torch.cat([self._encode_text(text) for text in texts]), guided=guided
        )

    def _encode_text(self, text: str) -> Tensor:
        """Return one text's embeddings, (1, tokens, hidden_size), from memory if they are there."""
        if text in self._encoded:
            self._encoded.move_to_end(text)
            return self._encoded[text]
        ids, attention_mask = self._tokenize(text)  # (1, tokens) each
        # On some devices the text encoder would not fail over them, but end the whole process.
        if ids.min() < 0 or ids.max() >= self.text_encoder.config.vocab_size:
            raise ModelError(
                "The model's tokenizer has tokens that its text_encoder does not know.",
                "They come from different models.",
            )
        # CLIP was trained to attend to the padding; the model's config says if this one was not.
        masked = getattr(self.text_encoder.config, "use_attention_mask", False)
        with running("text_encoder"):
            embeds: Tensor = self.text_encoder(
                ids.to(self.device),
                attention_mask=attention_mask.to(self.device) if masked else None,
            )[0]
        self._encoded[text] = embeds.to(self.dtype)
        if len(self._encoded) > _CACHED_TEXTS:
            self._encoded.popitem(last=False)
        return self._encoded[text]

    def _tokenize(self, text: str) -> tuple[Tensor, Tensor]:
        """Return token ids and which of them are attended to, (1, max_tokens) each."""
        with running("tokenizer"):
            tokens = self.tokenizer(
                text,
                padding="max_length",
                max_length=self.spec.max_tokens,
                truncation=True,
                return_tensors="pt",
            )
        return tokens.input_ids, tokens.attention_mask

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, channels, height, width) of the latents, float32."""
        scale = self.spec.size_multiple
        shape = (1, self.unet.config.in_channels, height // scale, width // scale)
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    def build_scheduler(self, request: ResolvedRequest) -> SchedulerMixin:
        """Return a fresh scheduler with its timesteps set."""
        scheduler = build_scheduler(request.scheduler, self.scheduler_config)
        set_timesteps(scheduler, request.num_inference_steps, self.device)
        return scheduler

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: TextEmbeds, guidance: Guidance
    ) -> Tensor:
        """Return the guided prediction, (batch, channels, height, width)."""
        denoiser = UNetDenoiser(self.unet, self.process)
        return denoiser.predict(model_input, timestep, conditioning, guidance)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1."""
        return decode_latents(self.vae, latents)

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the latents of pixels, (batch, 3, height, width), -1 to 1."""
        return encode_pixels(self.vae, pixels, generator)


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> StableDiffusionModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return StableDiffusionModel.load(spec, device, dtype)


def read_prompt(spec: ModelSpec, text: str) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    return measure_text(_tokenizer(spec.checkpoint), text, spec.max_tokens)


@lru_cache(maxsize=4)
def _tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    return load_tokenizer(checkpoint, "tokenizer", CLIPTokenizer)


def check_schedule(spec: ModelSpec, request: ResolvedRequest) -> None:
    """Go through a scheduler's steps with the model's schedule, and without the model."""
    config = spec.checkpoint.configs["scheduler"]
    check_steps(request.scheduler, config, request.num_inference_steps)
