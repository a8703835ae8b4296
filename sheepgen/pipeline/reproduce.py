"""Generate a recorded image again under the recorded conditions, as far as this machine has them.

The record is untrusted: what it says of device, precision and threads is used only if this machine
has it.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from sheepgen.caches import NO_CACHE
from sheepgen.errors import UsageError
from sheepgen.events import RunFinished
from sheepgen.models.caching import check_cache
from sheepgen.models.denoiser_size import denoiser_parameters
from sheepgen.options import ATTENTION_BACKENDS, DTYPES, NATIVE_ATTENTION, split_dtype
from sheepgen.pipeline.attention_backend import backend_error
from sheepgen.pipeline.compiled import compile_error
from sheepgen.pipeline.device import available_devices, resolve_device, resolve_dtype
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream
from sheepgen.sanitize import byte_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["load_as_recorded", "processors", "reproduce"]


def load_as_recorded(spec: ModelSpec, record: ImageRecord) -> LoadedModel:
    """Load a model on the recorded device, or one of its kind, at the recorded precision.

    What was added to it is added again, and attention is computed by the recorded backend,
    with the recorded cache, in blocks that are compiled if they were.

    What this machine does not have is left to `load_model` to choose.

    Raises:
        ModelError: If the model's folder is damaged.
    """
    environment = record.environment
    device = _device_like(environment.device)
    _, computed = split_dtype(environment.dtype)
    possible = computed in DTYPES and (computed != "fp16" or resolve_device(device).type != "cpu")
    dtype = environment.dtype if possible else "auto"
    return load_model(
        spec,
        device=device,
        dtype=dtype,
        adapters=record.request.adapters,
        attention_backend=_backend_like(environment.attention_backend, device, dtype, spec),
        cache=_cache_like(environment.cache, spec),
        compiled=environment.compiled and compile_error(resolve_device(device)) is None,
    )


def reproduce(model: LoadedModel, record: ImageRecord, *, threads: int | None) -> RunFinished:
    """Generate the record's image again, alone.

    Args:
        model: Loaded.
        record: Of the image.
        threads: CPU threads to compute with; None for the record's number, or this process's own
            if this machine has fewer processors than that.

    Raises:
        UsageError: If this model cannot do what the record asks for, or this machine has too little
            memory.
        NonFiniteError: If NaN or infinity comes out of the model.
    """
    _check_memory(model, model.spec.resolve(record.request))
    with _computing_with(threads or _threads_like(record.environment.threads)):
        *_, finished = stream(model, record.request, tiled_from=record.environment.tiled_from)
    assert isinstance(finished, RunFinished), "it is the last event"
    return finished


def _check_memory(model: LoadedModel, request: ResolvedRequest) -> None:
    """Refuse what cannot fit, because a system that runs out of memory ends the process."""
    width, height = request.final_size
    needed = width * height * model.info.bytes_per_pixel
    there = _memory_bytes(model.device)
    if there is not None and needed > there:
        raise UsageError(
            f"{width}x{height} pixels need at least {byte_size(needed)} of memory, but only "
            f"{byte_size(there)} are there.",
            "Verify it on a larger machine.",
        )


def _memory_bytes(device: torch.device) -> int | None:
    """Return how much memory a device has, if that can be known."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "cpu" and sys.platform in ("linux", "darwin"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _backend_like(recorded: str, device: str, dtype: str, spec: ModelSpec) -> str:
    """Return the recorded attention backend, or native if it cannot be used here."""
    if recorded == NATIVE_ATTENTION or recorded not in ATTENTION_BACKENDS:
        return NATIVE_ATTENTION
    target = resolve_device(device)
    precision = resolve_dtype(dtype, target, denoiser_parameters(spec))
    error = backend_error(recorded, target, precision)
    return NATIVE_ATTENTION if error else recorded


def _cache_like(recorded: str, spec: ModelSpec) -> str:
    """Return the recorded cache, or none if the model cannot have it."""
    try:
        check_cache(spec, recorded)
    except UsageError:
        return NO_CACHE
    return recorded


def _device_like(recorded: str) -> str:
    available = available_devices()
    kind = recorded.partition(":")[0]
    alike = [device for device in available if device.partition(":")[0] == kind]
    return recorded if recorded in available else next(iter(alike), "auto")


def processors() -> int:
    """Return how many processors this process may run on."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads_like(recorded: int) -> int:
    # Torch starts as many as it is asked for, and OpenMP ends the process where that fails.
    return recorded if 1 <= recorded <= processors() else torch.get_num_threads()


@contextmanager
def _computing_with(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
