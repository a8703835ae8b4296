"""Which intermediate pictures are wanted, said without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["FrameDecoder", "FrameOptions"]

FrameDecoder = Literal["auto", "preview", "linear", "vae"]
"""How latents become frames: by the model's small decoder, by a linear map fitted to the
finished image, or in full by the VAE. ``auto`` is ``preview`` where a model has it, else
``linear``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameOptions:
    """Frames of one run.

    Args:
        clean: The model's estimate of the finished image after each step.
        noisy: The running latents after each step.
        decoder: See `FrameDecoder`.
    """

    clean: bool = True
    noisy: bool = False
    decoder: FrameDecoder = "auto"
