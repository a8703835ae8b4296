"""How images are computed and which steps are shown, checked before torch is imported.

What a device or a dtype means on this machine is decided in `sheepgen.pipeline.device`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from sheepgen.caches import NO_CACHE, canonical_cache
from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "ATTENTION_BACKENDS",
    "DEVICES",
    "DTYPES",
    "MAX_BATCH_SIZE",
    "MAX_THREADS",
    "NATIVE_ATTENTION",
    "OFFLOADS",
    "DeviceOptions",
    "FrameDecoder",
    "FrameOptions",
    "Offload",
    "check_attention_backend",
    "check_device_options",
    "check_device_present",
    "fp16_on_cpu_error",
    "split_dtype",
]

DEVICES = ("auto", "cuda", "cuda:N", "mps", "xpu", "cpu")
"""Words for a device; N is a card's number."""

Offload = Literal["none", "model", "group"]
"""What of a model is off the device while it does not work: nothing, whole components, or each
layer."""

OFFLOADS: tuple[Offload, ...] = ("none", "model", "group")
"""From the fastest to the one that needs least memory."""

DTYPES = ("auto", "fp32", "bf16", "fp16", "fp8")
"""Words for a dtype. fp8 is how the denoiser's weights are kept; they become what ``auto`` stands
for when they are used, or what is said after a plus sign: fp8+bf16."""

NATIVE_ATTENTION = "native"
"""The attention backend that is used if none is asked for."""

ATTENTION_BACKENDS = (
    *(NATIVE_ATTENTION, "_native_cudnn", "_native_efficient", "_native_flash", "_native_math"),
    *("flash", "flash_varlen", "_flash_3", "_flash_varlen_3"),
    *("sage", "sage_varlen"),
    "xformers",
)
"""What computes attention, by diffusers' names. PyTorch chooses among its own by itself, which are
those with ``_native_``. Left out are those that download code to run (``_hub``), are for other
devices, or gain nothing uncompiled (``flex``)."""

MAX_BATCH_SIZE = 256
"""Each image that is being generated holds a claim, which is an open file."""

MAX_THREADS = 256
"""Torch starts as many as it is asked for, and does not survive it if there is no room."""

_TRACES: Mapping[str, Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "cuda": {
            # NVIDIA's driver, its boards, Windows' subsystem for Linux, and AMD's driver.
            "linux": ("nvidia*", "nv[hgm]*", "dxg", "kfd"),
            "darwin": (),
        },
        "xpu": {"linux": ("dri*", "dxg"), "darwin": ()},
        "mps": {"linux": (), "win32": ()},
    }
)
"""By device and system, the files in /dev of which one is there wherever the device is. On systems
that are not named, only torch can tell."""

_FP8 = "fp8"

_DEV = Path("/dev")

_DEVICE = re.compile(r"auto|cuda|cuda:\d{1,3}|mps|xpu|cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceOptions:
    """What an executor is asked for.

    Args:
        device: One of `DEVICES`.
        dtype: One of `DTYPES`.
        batch_size: How many images go through the U-Net together at most; None for as many as pay
            on the device.
        offload: One of `OFFLOADS`; None for the first that fits into the device's free memory.
        tiled_decoding: Whether images are decoded in tiles; None if they are where there is not
            enough memory to decode them whole.
        attention_backend: One of `ATTENTION_BACKENDS`.
        cache: What the denoiser reuses from one step to the next, as `sheepgen.caches` reads it.
        compiled: Whether the denoiser's blocks are compiled for the device.

    Raises:
        UsageError: If a word is unknown, fp16 is asked for on the CPU, the batch size is not from 1
            to `MAX_BATCH_SIZE`, or blocks are to be compiled that other options take apart.
    """

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = 1
    offload: Offload | None = None
    tiled_decoding: bool | None = None
    attention_backend: str = NATIVE_ATTENTION
    cache: str = NO_CACHE
    compiled: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without knowing the machine."""
        check_device_options(self.device, self.dtype)
        check_attention_backend(self.attention_backend)
        object.__setattr__(self, "cache", canonical_cache(self.cache))
        if self.offload not in (None, *OFFLOADS):
            raise UsageError(
                f'Unknown offload "{excerpt(self.offload)}".', f"Known: {', '.join(OFFLOADS)}."
            )
        if self.batch_size is not None and not 1 <= self.batch_size <= MAX_BATCH_SIZE:
            raise UsageError(
                f"batch size must be auto, or between 1 and {MAX_BATCH_SIZE}, "
                f"got {self.batch_size}."
            )
        if self.compiled and (other := self._takes_apart()):
            raise UsageError(f"--compile cannot be used with {other}.", f"Leave out {other}.")

    def _takes_apart(self) -> str:
        """Return the option that puts hooks into a network's blocks, if there is one."""
        if self.cache != NO_CACHE:
            return "--cache"
        if split_dtype(self.dtype)[0]:
            return f"--dtype {self.dtype}"
        return "--offload group" if self.offload == "group" else ""

    def __str__(self) -> str:
        """Say it in one line."""
        words = [self.device, self.dtype, str(self.batch_size or "auto")]
        if self.offload is not None:
            words.append(f"offload {self.offload}")
        if self.tiled_decoding:
            words.append("tiled")
        if self.attention_backend != NATIVE_ATTENTION:
            words.append(f"attention {self.attention_backend}")
        if self.cache != NO_CACHE:
            words.append(f"cache {self.cache}")
        if self.compiled:
            words.append("compiled")
        return " ".join(words)


def check_device_options(device: str, dtype: str) -> None:
    """Check the two words and that they go together.

    Raises:
        UsageError: If a word is unknown, or if fp16 is asked for on the CPU.
    """
    if not _DEVICE.fullmatch(device):
        raise UsageError(f'Unknown device "{excerpt(device)}".', f"Known: {', '.join(DEVICES)}.")
    _, computed = split_dtype(dtype)
    if computed not in DTYPES or computed == _FP8:
        known = (*DTYPES, *(f"{_FP8}+{each}" for each in DTYPES if each not in ("auto", _FP8)))
        raise UsageError(f'Unknown dtype "{excerpt(dtype)}".', f"Known: {', '.join(known)}.")
    if device == "cpu" and computed == "fp16":
        raise fp16_on_cpu_error()


def check_attention_backend(name: str) -> None:
    """Check that this is one of `ATTENTION_BACKENDS`.

    Raises:
        UsageError: If it is not.
    """
    if name not in ATTENTION_BACKENDS:
        raise UsageError(
            f'Unknown attention backend "{excerpt(name)}".',
            f"Known: {', '.join(ATTENTION_BACKENDS)}.",
        )


def split_dtype(dtype: str) -> tuple[bool, str]:
    """Return whether the denoiser's weights are kept as fp8, and the word for all else."""
    stored, _, computed = dtype.partition("+")
    return (True, computed or "auto") if stored == _FP8 else (False, dtype)


def check_device_present(device: str) -> None:
    """Refuse a device that this machine cannot have, as far as files show it before torch does.

    Raises:
        UsageError: If there is no trace of it.
    """
    traces = _TRACES.get(device.partition(":")[0], {}).get(sys.platform)
    if traces is not None and not any(any(_DEV.glob(trace)) for trace in traces):
        raise UsageError(
            f"This machine has no {device} device.", "Choose another --device, or leave it out."
        )


def fp16_on_cpu_error() -> UsageError:
    """Return the error for fp16 on the CPU, which is also found out late, after ``auto``."""
    return UsageError(
        "fp16 is not for the CPU: its convolutions run some 50 times slower there than fp32.",
        "Use --dtype fp32, or bf16 to save memory.",
    )


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
        preview: A small picture of that estimate as soon as a step is done, to be shown.
        decoder: Of clean and noisy frames; see `FrameDecoder`.
    """

    clean: bool = True
    noisy: bool = False
    preview: bool = False
    decoder: FrameDecoder = "auto"
