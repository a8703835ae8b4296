"""What models that work on an autoencoder's latents share, whatever network denoises them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    AutoencoderTiny,
    VQModel,
)

from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.vae import decode_latents, encode_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.placement import Placement

__all__ = ["AutoencoderModel"]

_AUTOENCODERS = {
    each.__name__: each
    for each in (
        *(AutoencoderDC, AutoencoderKL, AutoencoderKLFlux2, AutoencoderKLQwenImage),
        *(AutoencoderTiny, VQModel),
    )
}


@dataclass(frozen=True, kw_only=True)
class AutoencoderModel:
    """An autoencoder and what every loaded model has: part of a `sheepgen.pipeline.family.Model`.

    Args:
        spec: The model that the components are from.
        device: Where they work.
        dtype: Precision of the weights.
        vae: Latents to pixels and back.
        scheduler_config: Of the folder's scheduler. Schedulers hold the state of a run, so each run
            builds a fresh one from this.
        preview_decoder: Latents to small pictures, cheaply; few models have one.
        placement: What keeps components off the device, if anything does.
    """

    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    vae: (
        AutoencoderDC
        | AutoencoderKL
        | AutoencoderKLFlux2
        | AutoencoderKLQwenImage
        | AutoencoderTiny
        | VQModel
    )
    scheduler_config: Mapping[str, Any]
    preview_decoder: Callable[[Tensor], Tensor] | None = None
    placement: Placement | None = None

    @staticmethod
    def load_autoencoder(
        spec: ModelSpec,
        device: torch.device,
        dtype: torch.dtype,
        *,
        component: str = "vae",
        vae_dtype: torch.dtype | None = None,
    ) -> dict[str, Any]:
        """Load the autoencoder; return it and what else is known, by the names of the fields.

        Args:
            spec: Where it is.
            device: Where it goes.
            dtype: Precision of the weights.
            component: Its name in the folder.
            vae_dtype: Precision of the autoencoder's, if it is another one.
        """
        checkpoint = spec.checkpoint
        vae_class = _AUTOENCODERS[checkpoint.classes[component]]
        return {
            "spec": spec,
            "device": device,
            "dtype": dtype,
            "vae": load_diffusers(checkpoint, component, vae_class, vae_dtype or dtype).to(device),
            "scheduler_config": MappingProxyType(checkpoint.configs["scheduler"]),
        }

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that decoding takes at least."""
        # The decoder's last layers hold one number for each pixel and channel, before a
        # convolution and after it.
        bytes_: int = 2 * self.vae.config.block_out_channels[0] * self.vae.dtype.itemsize
        return bytes_

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, channels, height, width) of the latents, float32."""
        scale = 2 ** (len(self.vae.config.block_out_channels) - 1)
        shape = (1, self.vae.config.latent_channels, height // scale, width // scale)
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1."""
        return decode_latents(self.vae, latents)

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the latents of pixels, (batch, 3, height, width), -1 to 1."""
        return encode_pixels(self.vae, pixels, generator)
