"""What images take on the device that they are generated on: `RunMemory`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sheepgen.models.memory import MemoryPlan
    from sheepgen.options import Offload

__all__ = ["RunMemory"]


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
