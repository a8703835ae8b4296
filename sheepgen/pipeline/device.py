"""Which device to compute on and in which dtype, given what this machine has.

``auto`` is the fastest device, and on it the fastest dtype that does not harm the image. On the CPU
that is bf16 for large models if the processor multiplies it natively, and else fp32: small models
gain little, and only fp32 has the same pixels as diffusers to the bit.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch

from sheepgen.errors import UsageError
from sheepgen.machine import available_memory
from sheepgen.options import check_device_options, fp16_on_cpu_error, split_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BF16_PARAMETERS",
    "available_devices",
    "cpu_capabilities",
    "cpu_dtype",
    "free_memory",
    "peak_memory",
    "resolve_device",
    "resolve_dtype",
]

BF16_PARAMETERS = 200_000_000
"""Of the smallest denoiser that is computed in bf16 on a CPU. Those of Stable Diffusion's distilled
versions have 320 million and more; below are models of tens of millions, made of narrow layers."""

_BF16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")
"""Those with which oneDNN multiplies bf16 at least twice as fast as float32."""

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def available_devices() -> tuple[str, ...]:
    """Return the devices of this machine, the fastest first; ``cpu`` is always the last."""
    cards = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    xpu = ("xpu",) if torch.xpu.is_available() else ()
    return (*cards, *mps, *xpu, "cpu")


def resolve_device(name: str) -> torch.device:
    """Return the device that ``name`` stands for on this machine.

    Args:
        name: One of `sheepgen.options.DEVICES`.

    Raises:
        UsageError: If the name is unknown or this machine has no such device.
    """
    check_device_options(name, "auto")
    available = available_devices()
    device = {"auto": available[0], "cuda": "cuda:0"}.get(name, name)
    if device not in available:
        raise UsageError(
            f"This machine has no {name} device.",
            f"PyTorch {torch.__version__} sees {', '.join(available)}.",
        )
    return torch.device(device)


def resolve_dtype(name: str, device: torch.device, parameters: int = 0) -> torch.dtype:
    """Return the dtype that ``name`` stands for on ``device``.

    Args:
        name: One of `sheepgen.options.DTYPES`; of fp8, what is computed in.
        device: As `resolve_device` returned it.
        parameters: From `sheepgen.models.denoiser_size.denoiser_parameters`; 0 without a denoiser.

    Raises:
        UsageError: If the name is unknown, or is fp16 on the CPU.
    """
    check_device_options("auto", name)
    _, name = split_dtype(name)
    if name != "auto":
        if name == "fp16" and device.type == "cpu":
            raise fp16_on_cpu_error()
        return _DTYPES[name]
    match device.type:
        case "cuda":
            return torch.bfloat16 if _has_fast_bf16(device) else torch.float16
        case "mps":
            return torch.float16
        case "xpu":
            return torch.bfloat16
        case _:
            return cpu_dtype(cpu_capabilities(), parameters)


def cpu_dtype(capabilities: Mapping[str, object], parameters: int) -> torch.dtype:
    """Return the dtype that ``auto`` stands for on a CPU.

    Args:
        capabilities: As `cpu_capabilities` returns them.
        parameters: Of the denoiser.
    """
    has_bf16 = any(capabilities.get(each) for each in _BF16_INSTRUCTIONS)
    return torch.bfloat16 if has_bf16 and parameters >= BF16_PARAMETERS else torch.float32


def cpu_capabilities() -> Mapping[str, object]:
    """Return the processor's instructions by PyTorch's names for them, if it can use them.

    It cannot without oneDNN, and does not name them in versions before ``get_capabilities``.
    """
    named = getattr(torch.cpu, "get_capabilities", None)
    return named() if named is not None and torch.backends.mkldnn.is_available() else {}  # type: ignore[no-untyped-call]


def peak_memory(device: torch.device) -> int | None:
    """Return the most memory that this process has used so far, in bytes, if that can be known.

    On a CUDA card it is the card's memory, on the CPU the whole process's.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type != "cpu" or sys.platform == "win32":
        return None
    import resource  # which Windows does not have

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_memory(device: torch.device) -> int | None:
    """Return how many bytes this process can still have on a device, if that can be known.

    On a graphics card what PyTorch keeps for later counts as free; on Linux what the system caches.
    """
    match device.type:
        case "cuda" | "xpu":
            module = getattr(torch, device.type)
            kept = module.memory_reserved(device) - module.memory_allocated(device)
            return int(module.mem_get_info(device)[0] + kept)
        case "mps":
            return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
        case "cpu":
            return available_memory()
        case _:
            return None


def _has_fast_bf16(device: torch.device) -> bool:
    """Return whether a CUDA card computes in bf16 rather than emulating it (capability 8.0 on)."""
    major, _ = torch.cuda.get_device_capability(device)
    return major >= 8 and torch.cuda.is_bf16_supported(including_emulation=False)
