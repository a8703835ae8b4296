"""What models that denoise pixels themselves share: they have no autoencoder.

Their latents are the image, (batch, channels, height, width), about -1 to 1: red, green and blue,
or grey alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.placement import Placement

__all__ = ["PixelModel"]


@dataclass(frozen=True, kw_only=True)
class PixelModel:
    """Pixels, and what every loaded model has: part of a `sheepgen.pipeline.family.Model`.

    Args:
        spec: The model that the components are from.
        device: Where they work.
        dtype: Precision of the weights.
        scheduler_config: Of the folder's scheduler. Schedulers hold the state of a run, so each run
            builds a fresh one from this.
        channels: 3, or 1 if its images are grey.
        placement: What keeps components off the device, if anything does.
    """

    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    scheduler_config: Mapping[str, Any]
    channels: int
    placement: Placement | None = None

    @property
    def preview_decoder(self) -> Callable[[Tensor], Tensor]:
        """As there is nothing to decode, a preview is the image."""
        return self.decode

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, channels, height, width), float32."""
        shape = (1, self.channels, height, width)
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1."""
        return latents.expand(-1, 3, -1, -1)

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002 - draws nothing
        """Return pixels, (batch, 3, height, width), -1 to 1, in as many channels as the model's."""
        pixels = pixels.to(self.device, self.dtype)
        return pixels if self.channels == 3 else pixels.mean(dim=1, keepdim=True)
