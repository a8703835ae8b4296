"""What the pixels depend on besides the request: versions, device, precision."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

import diffusers
import torch

from sheepgen.machine import processor_name
from sheepgen.metadata.record import DIFFUSERS_LOOP, PIPELINE_VERSION, Environment
from sheepgen.pipeline.attention_backend import backend_name
from sheepgen.pipeline.compiled import is_compiled
from sheepgen.pipeline.fp8 import keeps_fp8
from sheepgen.pipeline.step_cache import cache_name
from sheepgen.version import __version__

if TYPE_CHECKING:
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["describe_environment", "device_name", "dtype_name", "precision_name"]

_DTYPE_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def dtype_name(dtype: torch.dtype) -> str:
    """Return the short name that ``--dtype`` uses."""
    return _DTYPE_NAMES[dtype]


def precision_name(model: LoadedModel) -> str:
    """Return the dtype of a loaded model as ``--dtype`` takes it: ``bf16``, ``fp8+bf16``."""
    stored = "fp8+" if keeps_fp8(model) else ""
    return f"{stored}{dtype_name(model.dtype)}"


def describe_environment(
    model: LoadedModel, *, batch_size: int = 1, tiled_from: int = 0
) -> Environment:
    """Return versions, device and precision; no times, host names or paths.

    Args:
        model: Loaded.
        batch_size: Images that were denoised together.
        tiled_from: The first pass whose image was decoded in tiles; 0 if none was.
    """
    return Environment(
        sheepgen=__version__,
        recipe=PIPELINE_VERSION if model.spec.family.own_loop else DIFFUSERS_LOOP,
        torch=str(torch.__version__),  # a plain one, which needs no torch to be read
        diffusers=diffusers.__version__,
        transformers=version("transformers"),
        python=platform.python_version(),
        platform=f"{platform.system()}-{platform.machine()}",
        device=str(model.device),
        device_name=device_name(model.device),
        dtype=precision_name(model),
        threads=torch.get_num_threads(),
        batch_size=batch_size,
        model_sha256=model.spec.sha256,
        model_revision=model.spec.revision,
        offload="none" if model.placement is None else model.placement.offload,
        tiled_from=tiled_from,
        attention_backend=backend_name(model),
        cache=cache_name(model),
        compiled=is_compiled(model),
        left_out=model.spec.checkpoint.left_out,
    )


def device_name(device: torch.device) -> str:
    """Return the graphics card's own name, or the processor's and the instructions in use.

    Clouds give processors of several generations the same name, and the instructions decide how
    sums are rounded.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "xpu":
        return torch.xpu.get_device_name(device)
    return f"{processor_name()} ({torch.backends.cpu.get_cpu_capability()})"
