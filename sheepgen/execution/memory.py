"""What images take on the device that they are generated on, and how a model fits there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sheepgen.errors import SheepgenError, as_sheepgen_error
from sheepgen.models.memory import RESERVE, can_offload, choose_offload, plan_memory
from sheepgen.options import OFFLOADS, split_dtype
from sheepgen.pipeline.device import free_memory, resolve_device, resolve_dtype
from sheepgen.pipeline.environment import dtype_name
from sheepgen.pipeline.fp8 import fp8_weights
from sheepgen.pipeline.offload import has_group_offload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sheepgen.models.memory import MemoryPlan
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, Offload
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["DeviceMemory", "RunMemory"]

_DIVISORS = (1, 4 / 3, 2, 4)
"""By what the sides of an image are divided to look for a size that fits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunMemory:
    """What images take that are generated together.

    Args:
        plan: Of the memory.
        model: Its name.
        size: Width and height of the images, in pixels.
        images: How many are generated together.
        device: As torch names it.
        dtype: Of the weights, as in ``fp32``, ``bf16`` or ``fp8+bf16``.
        free_bytes: Of the device's memory; None if that is not known.
        offload: What of the model is off the device while it does not work.
    """

    plan: MemoryPlan
    model: str
    size: tuple[int, int]
    images: int
    device: str
    dtype: str
    free_bytes: int | None
    offload: Offload

    @property
    def needed_bytes(self) -> int:
        """Most bytes that are on the device at the same time."""
        return self.plan.needed[self.offload]

    def to_dict(self) -> dict[str, Any]:
        """Describe it as plain JSON values.

        It has the ``model`` and its ``size``, the number of ``images`` at once, the ``device``, the
        ``dtype``, the device's ``free_bytes`` (null if not known), how components are kept off it
        (``offload``), ``needed_bytes`` for each way to do so, and the ``components``, each with the
        fields of `sheepgen.models.memory.ComponentMemory`.
        """
        return {
            "model": self.model,
            "size": [*self.size],
            "images": self.images,
            "device": self.device,
            "dtype": self.dtype,
            "free_bytes": self.free_bytes,
            "offload": self.offload,
            "needed_bytes": dict(self.plan.needed),
            "components": [asdict(component) for component in self.plan.components],
        }


class DeviceMemory:
    """The memory of a device as it is now, before a model is there.

    Args:
        options: Which device, and what was asked for.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the dtype.
    """

    def __init__(self, options: DeviceOptions) -> None:
        self._options = options
        self._device = resolve_device(options.device)
        self._is_fp8, _ = split_dtype(options.dtype)
        self._precision = resolve_dtype(options.dtype, self._device)
        self._dtype = dtype_name(self._precision)
        self._free = free_memory(self._device)
        self._known: dict[object, RunMemory] = {}

    def plan(self, spec: ModelSpec, images: Sequence[ResolvedRequest] = ()) -> RunMemory:
        """Return what images take, and how the model fits; only headers are read.

        Args:
            spec: The model.
            images: Of one size and guidance; without any, one of the model's own size.

        Raises:
            UsageError: If fp8 is not for this model.
            ModelError: If a weight file is damaged.
        """
        size = spec.defaults.width, spec.defaults.height
        guided = True
        if images:
            size, guided = images[0].final_size, images[0].guidance_scale > 1
            spec = replace(spec, adapters=images[0].adapters)
        key = spec, size, len(images), guided
        if key not in self._known:
            plan = plan_memory(
                *(spec, size, self._dtype),
                images=max(1, len(images)),
                guided=guided,
                replaced=fp8_weights(spec, self._precision) if self._is_fp8 else {},
            )
            self._known[key] = RunMemory(
                plan=plan,
                model=spec.name,
                size=size,
                images=max(1, len(images)),
                device=str(self._device),
                dtype=f"fp8+{self._dtype}" if self._is_fp8 else self._dtype,
                free_bytes=self._free,
                offload=self._offload(spec, plan),
            )
        return self._known[key]

    def explain(
        self, error: Exception, spec: ModelSpec, images: Sequence[ResolvedRequest] = ()
    ) -> SheepgenError:
        """Return the error for images that ran out of memory, with options that would fit.

        Args:
            error: What was raised.
            spec: The model.
            images: As for `plan`.
        """
        said = as_sheepgen_error(error)
        options = next(self._smaller(spec, images), None)
        if options is None:
            return said
        explained = SheepgenError(said.message, f"It should fit with {options}.")
        explained.__cause__ = error
        return explained

    def _smaller(self, spec: ModelSpec, images: Sequence[ResolvedRequest]) -> Iterator[str]:
        """Yield options that need less memory than what was tried, the least change first."""
        tried = self.plan(spec, images)
        size = images[0].final_size if images else (spec.defaults.width, spec.defaults.height)
        can_move = self._device.type != "cpu" and can_offload(spec)
        ways = self._ways if can_move else OFFLOADS[:1]
        limit = tried.plan.needed[tried.offload]
        if self._free is not None:
            limit = min(limit, self._free - RESERVE + 1)
        for divisor in _DIVISORS:
            smaller = _nearest(size, divisor, spec.size_multiple)
            for dtype in ("fp32", "bf16") if self._dtype == "fp32" else (self._dtype,):
                needed = plan_memory(spec, smaller, dtype, images=max(1, len(images))).needed
                for offload in ways:
                    if needed[offload] < limit:
                        yield " ".join(
                            [
                                *([f"--size {smaller[0]}x{smaller[1]}"] if divisor > 1 else []),
                                *([f"--dtype {dtype}"] if dtype != self._dtype else []),
                                *([f"--offload {offload}"] if offload != tried.offload else []),
                            ]
                        )

    @property
    def _ways(self) -> Sequence[Offload]:
        return OFFLOADS if has_group_offload() else OFFLOADS[:-1]

    def _offload(self, spec: ModelSpec, plan: MemoryPlan) -> Offload:
        if self._device.type == "cpu" or not can_offload(spec):
            return "none"
        if self._options.offload is not None:
            return self._options.offload
        return choose_offload(plan, self._free, among=self._ways)


def _nearest(size: tuple[int, int], divisor: float, multiple: int) -> tuple[int, int]:
    """Return a size whose sides are shorter, and multiples of what the model takes."""
    width, height = (max(multiple, int(side / divisor) // multiple * multiple) for side in size)
    return width, height
