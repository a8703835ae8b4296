"""How fast this machine multiplies matrices, and how many operations a step takes.

    python -m sheepgen.bench.roofline NAME

prints both, as JSON. The share of the peak says how much a step could still gain.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from sheepgen.bench.geometries import GEOMETRIES
from sheepgen.bench.measure import RunError, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch

    from sheepgen.bench.geometries import Geometry
    from sheepgen.bench.work import ModelName

__all__ = ["Roofline", "count_step_flop", "measure_roofline"]

_SIDE = 3072
"""Of the matrices: much larger than any cache."""

_TIMES = 5

_CONDITIONS = ("text_embeds", "time_ids")
"""What SDXL's U-Net takes in one argument."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Roofline:
    """The peak.

    Args:
        step_flop: Floating-point operations of one step, two for a multiplication and an addition.
        peaks: How many of them this machine does in a second in a product of matrices, by dtype.
    """

    step_flop: float
    peaks: Mapping[str, float]


def measure_roofline(name: ModelName, environment: Mapping[str, str], folder: Path) -> Roofline:
    """Measure in a process of its own, with the threads that its environment says.

    Raises:
        RunError: If that fails.
    """
    measure(("-m", "sheepgen.bench.roofline", name), environment, folder)
    try:
        found = json.loads((folder / "stdout").read_text(encoding="utf-8"))
        return Roofline(step_flop=found["step_flop"], peaks=found["peaks"])
    except (ValueError, KeyError) as error:
        raise RunError("The machine's peak could not be measured.") from error


def _peak(dtype: torch.dtype) -> float:
    """Return operations a second of the fastest of some products.

    torch has two libraries for them, and which is faster depends on the processor: one for products
    of matrices, and one for convolutions, of which those of one pixel are the same product.
    """
    import torch
    from torch.nn.functional import conv2d

    left, right = torch.randn(2, _SIDE, _SIDE).to(dtype).unbind()
    pixels = left.view(1, 64, -1, _SIDE).permute(0, 3, 1, 2)  # (1, _SIDE, 64, _SIDE / 64)
    kernels = right.view(_SIDE, _SIDE, 1, 1)
    products = partial(torch.mm, left, right), partial(conv2d, pixels, kernels)
    seconds = [_seconds(product) for _ in range(_TIMES) for product in products]
    return float(2 * _SIDE**3 / min(seconds))


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def count_step_flop(geometry: Geometry) -> float:
    """Count the operations of the denoiser, without computing them or having the weights."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from sheepgen.bench.make_model import build_network

    with torch.device("meta"):
        network = build_network(*next(iter(geometry.networks.values())))
        inputs: dict[str, Any] = {
            name: torch.zeros(shape) for name, shape in geometry.inputs.items()
        }
        conditions = {name: inputs.pop(name) for name in _CONDITIONS if name in inputs}
        if conditions:
            inputs["added_cond_kwargs"] = conditions
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(**inputs)
    return float(counter.get_total_flops())


if __name__ == "__main__":
    import torch

    printed = {
        "step_flop": count_step_flop(GEOMETRIES[cast("ModelName", sys.argv[1])]),
        "peaks": {"fp32": _peak(torch.float32), "bf16": _peak(torch.bfloat16)},
    }
    sys.stdout.write(json.dumps(printed))
