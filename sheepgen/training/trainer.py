"""What the training phases share: a step's report, the learning rate's course, checkpoints.

Each phase is a generator of `TrainStep`; whoever runs it draws the bar and decides when to stop.
A phase saves a checkpoint every so often and goes on from it when it is started again.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.errors import ModelError
from sheepgen.training.atomic_write import written_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "Checkpoint",
    "TrainStep",
    "autocast",
    "averaged_weights",
    "bf16_is_faster",
    "cosine_learning_rate",
    "trained_weights",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainStep:
    """One step is done. ``step`` counts from 1; there is no ``loss`` where nothing is learned."""

    phase: str
    step: int
    total_steps: int
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a phase on disk: named modules and optimizers, and the step."""

    path: Path
    parts: dict[str, Any]

    def save(self, step: int) -> None:
        """Write atomically."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        with written_whole(self.path) as path:
            torch.save({"step": step, "parts": state}, path)

    def load(self) -> int:
        """Restore the parts; return the step to go on from (0 where there is no checkpoint).

        A checkpoint that was made of an exported model has no optimizer: that begins anew.

        Raises:
            ModelError: If it is of other parts than these.
        """
        if not self.path.exists():
            return 0
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        try:
            for name, part in state["parts"].items():
                self.parts[name].load_state_dict(part)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(
                f"The checkpoint {self.path.name} is another version's.",
                "Go on with that version, or move the file away to begin this phase anew.",
            ) from error
        step: int = state["step"]
        return step


def trained_weights(path: Path, part: str, *, steps: int = 0) -> dict[str, Any]:
    """Return one part's state from a checkpoint.

    Args:
        path: The checkpoint.
        part: Name of the network in it.
        steps: How many it must have been trained.

    Raises:
        ModelError: If that phase has not run yet, or not so far.
    """
    if not path.exists():
        raise ModelError(
            f"There is no checkpoint {path.name}.", f"Run the phase {path.stem} first."
        )
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    if checkpoint["step"] < steps:
        raise ModelError(
            f"{path.name} has {checkpoint['step']} of {steps} steps.",
            f"Run the phase {path.stem} to its end first.",
        )
    state: dict[str, Any] = checkpoint["parts"][part]
    return state


def averaged_weights(path: Path) -> dict[str, Any]:
    """Return the exponentially averaged network's state from the U-Net's checkpoint."""
    averaged = trained_weights(path, "average")
    return {
        name.removeprefix("module."): value
        for name, value in averaged.items()
        if name.startswith("module.")
    }


def cosine_learning_rate(step: int, total_steps: int, peak: float, warmup_steps: int) -> float:
    """Return the rate at ``step``: a linear warm-up to ``peak``, then half a cosine to zero."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


@cache
def bf16_is_faster() -> bool:
    """Whether this processor multiplies matrices faster in bfloat16; measured, for flags lie.

    A processor may have the instructions and take twice as long with them.
    """
    return torch.cpu._is_avx512_bf16_supported() and _seconds(torch.bfloat16) < _seconds(
        torch.float32
    )


def _seconds(dtype: torch.dtype) -> float:
    matrix = torch.ones(1024, 1024, dtype=dtype)
    taken = []
    for _ in range(4):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        taken.append(time.perf_counter() - start)
    return min(taken)


@contextmanager
def autocast(device: torch.device) -> Iterator[None]:
    """Compute in bfloat16 where that is faster, else in float32."""
    enabled = device.type == "cuda" or bf16_is_faster()
    with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        yield
