"""Qwen-Image (https://arxiv.org/abs/2508.02324).

A transformer attends to what a vision-language model reads in the prompt, and to patches of the
latents. Its VAE is made for video; an image is a first frame. Guided predictions are
brought back to the length that the prompt's own have, patch by patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sheepgen.pipeline.building import running
from sheepgen.pipeline.flow_model import FlowModel
from sheepgen.pipeline.guidance import rescale_guided
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.patches import pack, unpack
from sheepgen.pipeline.qwen import QwenTextEncoder, Turn, load_qwen_tokenizer
from sheepgen.pipeline.qwen import read_prompt as read_qwen_prompt
from sheepgen.pipeline.text_cache import CachedTexts
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

__all__ = ["QwenImageModel", "QwenImageTexts", "check_schedule", "load", "read_prompt"]

_DESCRIBING = Turn(
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, "
    "quantity, text, spatial relationships of the objects and background:<|im_end|>\n"
    "<|im_start|>user\n",
    "<|im_end|>\n<|im_start|>assistant\n",
)
"""As it was trained, and as diffusers' pipeline has it."""

_SKIPPED = 34
"""Tokens of it in front of the prompt, which the transformer does not see."""

_ENCODED = 1024 + _SKIPPED
"""Tokens that are encoded; fewer are seen, but cutting before would round differently."""

_EMPTY = " "
"""Stands for an empty negative prompt, as in the makers' example."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Texts:
    """Texts of a batch.

    Args:
        states: (batch, tokens, width), padded with zeros.
        mask: (batch, tokens), 1 for tokens that are not padding; None if there is none.
    """

    states: Tensor
    mask: Tensor | None


@dataclass(frozen=True, kw_only=True, slots=True)
class QwenImageTexts:
    """What the transformer attends to.

    Args:
        prompts: Of the batch.
        negatives: Likewise; None without guidance.
    """

    prompts: _Texts
    negatives: _Texts | None = None


@dataclass(frozen=True, kw_only=True)
class QwenImageModel(CachedTexts[str, Tensor], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        vae: Latents of films to pixels and back.
        text_encoder: Prompt to hidden states.
        transformer: Predicts the velocity of patches, (batch, patches, channels).
    """

    vae: AutoencoderKLQwenImage
    text_encoder: QwenTextEncoder
    transformer: QwenImageTransformer2DModel

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", QwenImageTransformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            text_encoder=QwenTextEncoder.load(
                checkpoint, device, dtype, _DESCRIBING, limit=_ENCODED, pads=False
            ),
            transformer=transformer.to(device),
        )

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that decoding takes at least."""
        bytes_: int = 2 * self.vae.config.base_dim * self.vae.dtype.itemsize
        return bytes_

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return read_prompt(self.spec, text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for that the transformer sees."""
        labels = self.text_encoder.token_labels(prompt, skipped=_SKIPPED)
        return labels[: self.spec.max_tokens - _SKIPPED]

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> QwenImageTexts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        prompts = self._encode_texts([request.prompt for request in requests])
        if requests[0].guidance_scale <= 1:
            return QwenImageTexts(prompts=prompts)
        negatives = [request.negative_prompt or _EMPTY for request in requests]
        return QwenImageTexts(prompts=prompts, negatives=self._encode_texts(negatives))

    def _encode_texts(self, texts: Sequence[str]) -> _Texts:
        encoded = [self.encode_cached(text) for text in texts]
        states = pad_sequence(encoded, batch_first=True)
        ones = [torch.ones(len(each), dtype=torch.long, device=self.device) for each in encoded]
        mask = pad_sequence(ones, batch_first=True)
        return _Texts(states=states, mask=None if bool(mask.all()) else mask)

    def _encode_text(self, text: str) -> Tensor:
        """Return what the text encoder makes of a text, (tokens, width)."""
        states, _ = self.text_encoder.hidden_states(text)
        return states[-1][0, _SKIPPED : self.spec.max_tokens]

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, channels, height, width) of the latents, float32."""
        scale = self.vae.spatial_compression_ratio
        shape = (1, self.vae.config.z_dim, height // scale, width // scale)
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,
        conditioning: QwenImageTexts,
        guidance: Guidance,
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width)."""
        height, width = model_input.shape[-2:]
        with self.transformer.cache_context("cond"):
            text = self._velocity(model_input, timestep, conditioning.prompts)
        if conditioning.negatives is None:
            return unpack(text, height, width)
        with self.transformer.cache_context("uncond"):
            negative = self._velocity(model_input, timestep, conditioning.negatives)
        guided = negative + guidance.scale * (text - negative)
        # guided * |text| / |guided|, patch by patch
        lengths = [torch.norm(each, dim=-1, keepdim=True) for each in (text, guided)]
        guided = guided * (lengths[0] / lengths[1])
        text, guided = (unpack(each, height, width) for each in (text, guided))
        return rescale_guided(guided, text, guidance.rescale)

    def _velocity(self, model_input: Tensor, timestep: Tensor, texts: _Texts) -> Tensor:
        batch, _, height, width = model_input.shape
        with running("transformer"):
            velocity: Tensor = self.transformer(
                hidden_states=pack(model_input),
                timestep=timestep.expand(batch).to(self.dtype) / 1000,
                guidance=None,
                encoder_hidden_states_mask=texts.mask,
                encoder_hidden_states=texts.states,
                img_shapes=[[(1, height // 2, width // 2)]] * batch,
                return_dict=False,
            )[0]
        return velocity  # (batch, patches, channels)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1."""
        film = latents.to(self.vae.dtype).unsqueeze(2)  # of one frame
        mean, inverse = self._moments(film)
        return decode_latents(self.vae, film / inverse + mean)[:, :, 0]

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the latents of pixels, (batch, 3, height, width), -1 to 1."""
        film = encode_pixels(self.vae, pixels.unsqueeze(2), generator)
        mean, inverse = self._moments(film)
        return ((film - mean) * inverse)[:, :, 0]

    def _moments(self, film: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and inverse deviation of the VAE's latents, (1, channels, 1, 1, 1)."""
        config = self.vae.config
        mean, deviation = (
            torch.tensor(each).view(1, -1, 1, 1, 1)
            for each in (config.latents_mean, config.latents_std)
        )
        # The inverse first, as diffusers has it: its bits decide.
        return mean.to(film), (1.0 / deviation.to(film))


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    tokenizer = load_qwen_tokenizer(spec.checkpoint)
    return read_qwen_prompt(tokenizer, text, _DESCRIBING, spec.max_tokens)


load = QwenImageModel.load
check_schedule = QwenImageModel.check_schedule
