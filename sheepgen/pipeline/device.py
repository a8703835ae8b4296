"""Which device to compute on and in which dtype, given what this machine has.

``auto`` is the fastest device, and on it the fastest dtype that does not harm the image. On the CPU
that is fp32, even if the processor has bf16: only fp32 keeps the promise that a seed gives the same
pixels, and the convolutions of small models gain little from less.
"""

from __future__ import annotations

import sys

import torch

from sheepgen.errors import UsageError
from sheepgen.machine import available_memory
from sheepgen.options import check_device_options, fp16_on_cpu_error, split_dtype

__all__ = [
    "available_devices",
    "free_memory",
    "peak_memory",
    "resolve_device",
    "resolve_dtype",
]

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


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype that ``name`` stands for on ``device``.

    Args:
        name: One of `sheepgen.options.DTYPES`; of fp8, what is computed in.
        device: As `resolve_device` returned it.

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
            return torch.float32


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
