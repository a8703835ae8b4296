"""A fitted encoder, and drawings with a texture: for what is as exact as latents are linear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sheepgen.training.config import AutoencoderConfig
from sheepgen.training.data.concepts import concepts
from sheepgen.training.vae import build_autoencoder, fit_encoder
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from diffusers import AutoencoderTiny

CHANNELS = 4
SIDE = 192
"""Of a drawing: what is alone in a picture of 256 pixels is shown as it is."""

HOLLOW = "rocket"
"""Has nothing in its upper left quarter, as drawn; and it is shown mirrored."""


@cache
def fitted_vae() -> AutoencoderTiny:
    """Return an autoencoder whose encoder is fitted to pictures of random squares."""
    vae = build_autoencoder(
        AutoencoderConfig(width=8, decoder_blocks=(1, 0, 0, 0), latent_channels=CHANNELS)
    ).eval()
    squares = np.random.default_rng(0).integers(256, size=(6, 16, 16, 3), dtype=np.uint8)
    fit_encoder(vae, squares.repeat(4, axis=1).repeat(4, axis=2))
    return vae


@dataclass(frozen=True, slots=True)
class Textured(Blocks):
    """Draws every concept as a square of random squares of its own, smaller than a cell."""

    def icon(self, style: str, name: str) -> Image.Image:
        """Return the square."""
        assert style
        rng = np.random.default_rng(list(concepts()).index(name))
        pixels = rng.integers(256, size=(SIDE // 4, SIDE // 4, 4), dtype=np.uint8)
        pixels[..., 3] = 255
        if name == HOLLOW:
            pixels[: SIDE // 8, : SIDE // 8, 3] = 0
        return Image.fromarray(pixels.repeat(4, axis=0).repeat(4, axis=1), "RGBA")
