"""The embedded model's family: Stable Diffusion's layout, and more in it.

Its text encoder puts tokens of its own after the prompt's, which the U-Net attends to, and a small
decoder makes step frames cheap. `sheepgen train` writes such models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.models.families import PREVIEW_COMPONENT
from sheepgen.pipeline.family import TokenLabel
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.stable_diffusion import (
    StableDiffusionModel,
    check_schedule,
    read_prompt,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from sheepgen.models.spec import ModelSpec

__all__ = ["EmbeddedModel", "PreviewDecoder", "check_schedule", "load", "read_prompt"]


class PreviewDecoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Latents to pictures in one cheap pass, blurrier than the VAE and some fifty times cheaper.

    Four convolutions at the latents' own resolution, then a pixel shuffle (sub-pixel convolution,
    https://arxiv.org/abs/1609.05158).

    Args:
        latent_channels: Channels of the latents, as the U-Net sees them (scaled).
        width: Hidden channels.
        upscale: Pixels a latent side, the VAE's spatial factor.
    """

    @register_to_config
    def __init__(self, latent_channels: int = 4, width: int = 64, upscale: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(latent_channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 3 * upscale * upscale, 3, padding=1),
            nn.PixelShuffle(upscale),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Decode.

        Args:
            latents: (batch, latent_channels, height, width).

        Returns:
            (batch, 3, height * upscale, width * upscale), about -1 to 1, not clamped.
        """
        picture: Tensor = self.layers(latents)
        return picture


@dataclass(frozen=True, kw_only=True)
class EmbeddedModel(StableDiffusionModel):
    """A loaded model whose text encoder may add tokens, and which may have a preview decoder."""

    preview_decoder: PreviewDecoder | None = None

    @classmethod
    def _load_components(
        cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype
    ) -> dict[str, Any]:
        components = super()._load_components(spec, device, dtype)
        checkpoint = spec.checkpoint
        if PREVIEW_COMPONENT in checkpoint.configs:
            decoder = load_diffusers(checkpoint, PREVIEW_COMPONENT, PreviewDecoder, dtype)
            components[PREVIEW_COMPONENT] = decoder.to(device)
        return components

    def token_labels(self, prompt: str) -> Sequence[TokenLabel]:
        """Return what the encoded tokens stand for: the prompt's, then those the encoder adds."""
        added = range(self.spec.max_tokens, self.spec.encoded_tokens)
        memory = [TokenLabel(position=position, kind="memory") for position in added]
        return (*super().token_labels(prompt), *memory)

    def _tokenize(self, text: str) -> tuple[Tensor, Tensor]:
        """Return token ids and which of them are attended to, (1, encoded_tokens) each.

        The encoder's own tokens come after the prompt's, as padding.
        """
        ids, attention_mask = super()._tokenize(text)
        added = (0, self.spec.encoded_tokens - self.spec.max_tokens)
        ids = functional.pad(ids, added, value=self.tokenizer.pad_token_id)
        return ids, functional.pad(attention_mask, added)


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> EmbeddedModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return EmbeddedModel.load(spec, device, dtype)
