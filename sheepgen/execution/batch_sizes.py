"""How many images this process generates together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.pipeline.device import resolve_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["AUTO_IMAGES", "AUTO_PIXELS_ACCELERATOR", "AUTO_PIXELS_CPU", "BatchSizes"]

AUTO_IMAGES = 64
AUTO_PIXELS_CPU = 2**18
AUTO_PIXELS_ACCELERATOR = 2**21
"""What images generated together come to at most, if the batch size is left open.

Up to there a processor gains: of the embedded model's images, sixteen together take 20 ms each for
a step, and one alone 54 ms. From 512 by 512 pixels on it gains nothing, and memory is dear.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchSizes:
    """How many images are generated together, as far as their models and the options say.

    Args:
        specs: Models, as requests name them.
        options: Where and how they are computed.
    """

    specs: Mapping[ModelReference, ModelSpec]
    options: DeviceOptions

    def batch_size(self, request: ResolvedRequest) -> int:
        """Return how many requests with this one's `batch_key` are generated together."""
        spec = self.specs.get(request.model_reference)
        if spec is not None and not spec.family.own_loop:
            return 1  # whose pipeline makes one at a time
        if self.options.batch_size is not None:
            return self.options.batch_size
        on_cpu = resolve_device(self.options.device).type == "cpu"
        budget = AUTO_PIXELS_CPU if on_cpu else AUTO_PIXELS_ACCELERATOR
        return max(1, min(AUTO_IMAGES, budget // math.prod(request.final_size)))
