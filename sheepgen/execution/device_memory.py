"""The memory of a device, and how a model fits there; torch is imported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.execution.memory import RunMemory
from sheepgen.models.denoiser_size import denoiser_parameters
from sheepgen.models.memory import choose_offload, plan_memory, why_not_offload
from sheepgen.options import OFFLOADS, split_dtype
from sheepgen.pipeline.device import free_memory, resolve_device, resolve_dtype
from sheepgen.pipeline.environment import dtype_name
from sheepgen.pipeline.fp8 import fp8_weights
from sheepgen.pipeline.offload import has_group_offload

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from sheepgen.models.memory import MemoryPlan
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, Offload
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["DeviceMemory", "plan_at"]


class DeviceMemory:
    """The memory of a device as it is now, before a model is there.

    Args:
        options: Which device, and what was asked for.
        kept_bytes: What models take there that would be unloaded for others.

    Attributes:
        device: That it is.
        free_bytes: None if that is not known.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the dtype.
    """

    def __init__(self, options: DeviceOptions, kept_bytes: int = 0) -> None:
        self.options = options
        self.device = resolve_device(options.device)
        free = free_memory(self.device)
        self.free_bytes = None if free is None else free + kept_bytes
        self._known: dict[object, RunMemory] = {}
        resolve_dtype(options.dtype, self.device)

    def plan(self, spec: ModelSpec, images: Sequence[ResolvedRequest] = ()) -> RunMemory:
        """Return what images take, and how the model fits; only headers are read.

        Args:
            spec: The model.
            images: Of one size and guidance; without any, one of the model's own size.

        Raises:
            UsageError: If fp8 is not for this model.
            ModelError: If a weight file is damaged.
        """
        size, guided = _work_of(spec, images)
        if images:
            spec = replace(spec, adapters=images[0].adapters)
        key = spec, size, len(images), guided
        if key not in self._known:
            self._known[key] = self._plan(spec, size, max(1, len(images)), guided=guided)
        return self._known[key]

    def ways(self, spec: ModelSpec) -> Sequence[Offload]:
        """Return the ways that there are to keep a model's components off the device."""
        if self.device.type == "cpu" or why_not_offload(spec):
            return OFFLOADS[:1]
        if has_group_offload() and not self.options.compiled:
            return OFFLOADS
        return OFFLOADS[:-1] if spec.family.own_loop else OFFLOADS[:1]

    def _plan(
        self, spec: ModelSpec, size: tuple[int, int], images: int, *, guided: bool
    ) -> RunMemory:
        plan = plan_at(
            *(spec, size, self.options.dtype, self.device),
            images=images,
            guided=guided,
            tiled=bool(self.options.tiled_decoding),
        )
        ways, asked = self.ways(spec), self.options.offload
        offload = choose_offload(plan, self.free_bytes, among=ways)
        if asked is not None and len(ways) > 1:
            offload = asked
        is_fp8, _ = split_dtype(self.options.dtype)
        precision = dtype_name(
            resolve_dtype(self.options.dtype, self.device, denoiser_parameters(spec))
        )
        return RunMemory(
            plan=plan,
            model=spec.name,
            size=size,
            images=images,
            device=str(self.device),
            dtype=f"fp8+{precision}" if is_fp8 else precision,
            free_bytes=self.free_bytes,
            offload=offload,
        )


def plan_at(
    spec: ModelSpec,
    size: tuple[int, int],
    dtype: str,
    device: torch.device,
    *,
    images: int,
    guided: bool,
    tiled: bool,
) -> MemoryPlan:
    """Plan the memory of images at a precision; see `sheepgen.models.memory.plan_memory`.

    Args:
        spec: The model, with its adapters.
        size: Width and height of the images, in pixels.
        dtype: One of `sheepgen.options.DTYPES`.
        device: That decides what ``auto`` stands for.
        images: How many there are.
        guided: Whether they are guided.
        tiled: Whether they are decoded in tiles.

    Raises:
        UsageError: If fp8 is not for this model.
        ModelError: If a weight file is damaged.
    """
    precision = resolve_dtype(dtype, device, denoiser_parameters(spec))
    is_fp8, _ = split_dtype(dtype)
    return plan_memory(
        *(spec, size, dtype_name(precision)),
        images=images,
        guided=guided,
        tiled=tiled,
        replaced=fp8_weights(spec, precision) if is_fp8 else {},
    )


def _work_of(spec: ModelSpec, images: Sequence[ResolvedRequest]) -> tuple[tuple[int, int], bool]:
    """Return the size of images, and whether they are guided."""
    if not images:
        return (spec.defaults.width, spec.defaults.height), True
    (width, height), first = images[0].final_size, images[0]
    if first.upscaler:
        width, height = first.width, first.height
    return (width, height), first.guidance_scale > 1
