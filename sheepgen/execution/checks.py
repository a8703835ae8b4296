"""What this machine and a model's scheduler say of a request, before its weights are loaded.

PyTorch is imported when it is first needed, and nothing of it where no check needs it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.execution.executor import in_batches
from sheepgen.models.added.transformer import with_transformer
from sheepgen.models.caching import check_cache
from sheepgen.models.denoiser_size import denoiser_parameters
from sheepgen.models.memory import can_tile, why_not_offload
from sheepgen.options import NATIVE_ATTENTION
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sheepgen.execution.memory import RunMemory
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "attention_warnings",
    "check_adapters",
    "check_device",
    "check_schedules",
    "compile_warnings",
    "device_warnings",
    "offload_warnings",
    "plan_memory",
]


def check_device(device: str) -> None:
    """Check that a device that was asked for by name is one that PyTorch sees.

    Raises:
        UsageError: If this machine has no such device.
    """
    if device not in ("auto", "cpu"):
        from sheepgen.pipeline.device import resolve_device

        resolve_device(device)


def check_adapters(spec: ModelSpec, requests: Iterable[ResolvedRequest]) -> None:
    """Check that the LoRAs of every request fit the model.

    Raises:
        ModelError: If one does not, or not whole.
    """
    for adapters in dict.fromkeys(request.adapters for request in requests):
        if adapters.loras:
            from sheepgen.pipeline.lora import check_loras

            checkpoint = with_transformer(spec.checkpoint, adapters.transformer)
            check_loras(replace(spec, checkpoint=checkpoint), adapters.loras)


def check_schedules(spec: ModelSpec, requests: Iterable[ResolvedRequest]) -> None:
    """Check that the scheduler of every request gets through its steps.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If a scheduler cannot be used with this model.
    """
    from sheepgen.pipeline.loading import check_schedule

    for request in requests:
        check_schedule(spec, request)


def plan_memory(
    requests: Iterable[ResolvedRequest],
    specs: Mapping[ModelReference, ModelSpec],
    options: DeviceOptions,
) -> RunMemory | None:
    """Return what those images take that need most memory, together as they are generated.

    Args:
        requests: Resolved.
        specs: Their models.
        options: How the images are generated.

    Returns:
        None if there are no images.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the dtype.
        ModelError: If a weight file is damaged.
    """
    if not (requests := tuple(requests)):
        return None
    from sheepgen.execution.batch_sizes import BatchSizes
    from sheepgen.execution.device_memory import DeviceMemory

    memory = DeviceMemory(options)
    batches = in_batches(requests, BatchSizes(specs=specs, options=options))
    plans = (memory.plan(specs[batch[0].model_reference], batch) for batch in batches)
    return max(plans, key=lambda plan: plan.needed_bytes)


def device_warnings(specs: Iterable[ModelSpec], options: DeviceOptions) -> tuple[str, ...]:
    """Return what was asked of the device and has no effect.

    Raises:
        UsageError: If this machine has no such device, or cannot use the attention backend there,
            the cache is not for one of the models, or nothing can be compiled.
    """
    specs = tuple(specs)
    for spec in specs:
        check_cache(spec, options.cache)
    tiling = (
        f"Warning: --vae-tiling has no effect with {excerpt(spec.name)}."
        for spec in specs
        if options.tiled_decoding and not can_tile(spec)
    )
    return (
        *offload_warnings(specs, options),
        *attention_warnings(specs, options),
        *compile_warnings(specs, options),
        *tiling,
    )


def attention_warnings(specs: Iterable[ModelSpec], options: DeviceOptions) -> Iterator[str]:
    """Yield a warning for each model with which the attention backend has no effect.

    Raises:
        UsageError: If it would have an effect, and this machine cannot use it.
    """
    if options.attention_backend == NATIVE_ATTENTION:
        return
    from sheepgen.pipeline.attention_backend import backend_error, has_backends
    from sheepgen.pipeline.device import resolve_device, resolve_dtype

    device = resolve_device(options.device)
    for spec in specs:
        if not has_backends(spec):
            networks = "U-Nets have" if "unet" in spec.family.components else "its network has"
            yield (
                f"Warning: --attention-backend has no effect with {excerpt(spec.name)}: {networks} "
                "no such switch."
            )
            continue
        dtype = resolve_dtype(options.dtype, device, denoiser_parameters(spec))
        if error := backend_error(options.attention_backend, device, dtype):
            raise error


def compile_warnings(specs: Iterable[ModelSpec], options: DeviceOptions) -> Iterator[str]:
    """Yield a warning for each model that has nothing to compile.

    Raises:
        UsageError: If it has, and this machine cannot.
    """
    if not options.compiled:
        return
    from sheepgen.pipeline.compiled import can_compile, compile_error
    from sheepgen.pipeline.device import resolve_device

    device = resolve_device(options.device)
    for spec in specs:
        if not can_compile(spec):
            yield f"Warning: --compile has no effect with {excerpt(spec.name)}."
        elif error := compile_error(device):
            raise error


def offload_warnings(specs: Iterable[ModelSpec], options: DeviceOptions) -> Iterator[str]:
    """Yield a warning if offloading was asked for and has no effect.

    Raises:
        UsageError: If this machine has no such device.
    """
    if options.offload in (None, "none"):
        return
    from sheepgen.pipeline.device import resolve_device

    if resolve_device(options.device).type == "cpu":
        yield "Warning: offload has no effect on the CPU."
        return
    for spec in specs:
        if why := why_not_offload(spec):
            yield f"Warning: offload has no effect with {excerpt(spec.name)}: {why}."
