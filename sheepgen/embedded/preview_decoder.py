"""A small decoder that makes step frames cheap."""

from __future__ import annotations

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

__all__ = ["PreviewDecoder"]


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
