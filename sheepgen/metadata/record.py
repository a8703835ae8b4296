"""What an image carries about itself: enough to generate it again, and what generated it.

A record holds no time, host name or path of the user's but the model, what was added to it and the
pictures as they were typed, so one request generated twice gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.caches import NO_CACHE
from sheepgen.options import NATIVE_ATTENTION

if TYPE_CHECKING:
    from sheepgen.prompt_reading import Correction, UnusedWord
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["DIFFUSERS_LOOP", "MAX_WORDS", "PIPELINE_VERSION", "Environment", "ImageRecord"]

PIPELINE_VERSION = 1
"""Version of the loop: raised when the same request would give other pixels than before."""

DIFFUSERS_LOOP = 0
"""Stands for diffusers' own loop, whose version is that of diffusers."""

MAX_WORDS = 20
"""Unused and corrected words that a record is given at most: a JPEG has little room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What the pixels depend on besides the request.

    Args:
        sheepgen: Version of this package.
        recipe: Number of the denoising loop; it grows when the same request gives other pixels.
            0 if it was diffusers' own.
        torch: Version.
        diffusers: Version.
        transformers: Version.
        python: Version.
        platform: System and machine, as in ``Linux-x86_64``.
        device: As torch names it: ``cpu``, ``cuda:0``, ``mps``.
        device_name: The graphics card's own name, or the processor's and in brackets the vector
            instructions that torch used, which the first images do not have.
        dtype: ``fp32``, ``bf16`` or ``fp16``; ``fp8+bf16`` if the denoiser's weights were kept in
            8 bits.
        threads: CPU threads that torch computed with.
        batch_size: Images that went through the U-Net together.
        model_sha256: Hash over the hashes of all weight files.
        model_revision: Commit of a model from the hub.
        offload: What of the model was off the device while it did not work: ``none``, ``model`` or
            ``group``. It changes no pixel.
        tiled_from: The first pass, from 1, whose image was decoded in tiles, as all after it were;
            0 if none was.
        attention_backend: What computed the denoiser's attention, by diffusers' name for it.
        cache: What the denoiser reused from one step to the next, as `sheepgen.caches` has it.
        compiled: Whether the denoiser's blocks were compiled.
        left_out: Component of the family that the model has not, as ``text_encoder_3`` of Stable
            Diffusion 3; empty if it has all.
    """

    sheepgen: str
    recipe: int
    torch: str
    diffusers: str
    transformers: str
    python: str
    platform: str
    device: str
    device_name: str
    dtype: str
    threads: int
    batch_size: int
    model_sha256: str
    model_revision: str | None
    offload: str = "none"
    tiled_from: int = 0
    attention_backend: str = NATIVE_ATTENTION
    cache: str = NO_CACHE
    compiled: bool = False
    left_out: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRecord:
    """One image: what was asked for, where it was generated, and the hashes that prove it.

    Args:
        request: With every field resolved.
        environment: Where it was generated.
        noise_sha256: Of the starting noise's bytes, float32 on the CPU.
        latents_sha256: Of the final latents' bytes, as float32 on the CPU.
        truncated: Words of the prompt that fell off its end.
        understood: What the model understood of the prompt, in words; None if it does not parse
            prompts.
        unused: The first words of the prompt without effect.
        corrected: The first words that were taken for another one.
    """

    request: ResolvedRequest
    environment: Environment
    noise_sha256: str
    latents_sha256: str
    truncated: tuple[str, ...]
    understood: str | None = None
    unused: tuple[UnusedWord, ...] = ()
    corrected: tuple[Correction, ...] = ()
