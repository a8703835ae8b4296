"""A part of a picture that is generated again, while the rest stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Inpainting", "MaskedImage"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inpainting:
    """What stays of an image while the rest is generated.

    Args:
        mask: 1 where the image is generated, 0 where it stays; broadcasts to the latents.
        clean: Latents of the image.
        noise: The noise that the start was made with.
    """

    mask: Tensor
    clean: Tensor
    noise: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskedImage:
    """What a network that was trained for inpainting sees besides the latents it denoises.

    Args:
        mask: 1 where the image is generated, 0 where it stays, (images, 1, height, width).
        latents: Of the picture, grey where it is generated, (images, channels, height, width).
    """

    mask: Tensor
    latents: Tensor
