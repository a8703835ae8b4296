"""The one training loop: optimizers, learning rate, averaged weights, checkpoints.

A stage goes on from its checkpoint when it is started again::

    trainer = Trainer(network, muon_and_adamw(network), settings, checkpoint)
    for step in trainer.remaining_steps():
        yield trainer.update(loss_at(step))

All random numbers of a step are to follow from its number. Then a training that was stopped at any
step ends with the weights of one that was not.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import torch
from diffusers.training_utils import EMAModel

from sheepgen.errors import ModelError
from sheepgen.training.atomic_write import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor, nn
    from torch.optim import Optimizer

__all__ = [
    "TrainStep",
    "Trainer",
    "TrainerSettings",
    "autocast",
    "bf16_is_faster",
    "learning_rate",
    "load_weights",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainStep:
    """One step is done. ``step`` counts from 1; there is no ``loss`` where nothing is learned."""

    stage: str
    step: int
    total_steps: int
    loss: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerSettings:
    """How a network is trained.

    Args:
        stage: Its name, for the steps that are reported.
        steps: All of them, those that were done before included.
        learning_rate: The highest.
        warmup_steps: Over which it rises linearly.
        decay: How it falls: ``cosine`` from the warm-up to the end, or ``linear`` over the last
            ``decay_share`` of the steps, after a plateau. A plateau can be prolonged: a longer
            training goes on from a shorter one's checkpoint.
        max_grad_norm: To which gradients are clipped; None leaves them as they are.
        ema_decay: Of the exponential moving average of the weights; None for no average.
        save_every: Steps between checkpoints.
    """

    stage: str
    steps: int
    learning_rate: float
    warmup_steps: int
    decay: Literal["cosine", "linear"] = "cosine"
    decay_share: float = 1.0
    max_grad_norm: float | None = 1.0
    ema_decay: float | None = None
    save_every: int = 250


class Trainer:
    """Trains a network step by step, from its checkpoint if there is one.

    Args:
        network: On its device; its state is restored.
        optimizers: By name. Their learning rates are set at every step.
        settings: The schedule.
        checkpoint: A file; it is written every so often, and at the end.

    Raises:
        ModelError: If the checkpoint is of another network or of other optimizers.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Mapping[str, Optimizer],
        settings: TrainerSettings,
        checkpoint: Path,
    ) -> None:
        self.network = network
        self.optimizers = dict(optimizers)
        self.settings = settings
        self.checkpoint = checkpoint
        self.average: EMAModel | None = None
        if settings.ema_decay is not None:
            self.average = EMAModel(network.parameters(), decay=settings.ema_decay, foreach=True)
        self.step = self._restore() if checkpoint.exists() else 0
        network.train()

    def remaining_steps(self) -> range:
        """Return the steps to do, counted from 0."""
        return range(self.step, self.settings.steps)

    def update(self, loss: Tensor) -> TrainStep:
        """Move the weights against the gradient of ``loss``, a scalar; save every so often."""
        self.network.zero_grad()
        loss.backward()
        if self.settings.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.max_grad_norm)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(self.step, self.settings)
            optimizer.step()
        if self.average is not None:
            self.average.step(self.network.parameters())
        self.step += 1
        if self.step % self.settings.save_every == 0 or self.step == self.settings.steps:
            self._save()
        return TrainStep(
            stage=self.settings.stage,
            step=self.step,
            total_steps=self.settings.steps,
            loss=loss.item(),
        )

    def _save(self) -> None:
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizers": {name: own.state_dict() for name, own in self.optimizers.items()},
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        with atomic_write(self.checkpoint) as path:
            torch.save(state, path)

    def _restore(self) -> int:
        """Return the step to go on from. What was resumed from an export has no optimizers yet."""
        state = _load(self.checkpoint)
        try:
            self.network.load_state_dict(state["network"])
            for name, own in state.get("optimizers", {}).items():
                self.optimizers[name].load_state_dict(own)
            if self.average is not None:
                self.average.load_state_dict(state["average"] | {"decay": self.average.decay})
                self.average.to(next(self.network.parameters()).device)
            step: int = state["step"]
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"The checkpoint {self.checkpoint.name} was written by another version.",
                "Continue with that version, or move the file away to restart this stage.",
            ) from error
        return step


def load_weights(
    network: nn.Module, checkpoint: Path, *, steps: int = 0, averaged: bool = False
) -> None:
    """Load the weights of a checkpoint into a network of the same kind.

    Args:
        network: What they are loaded into.
        checkpoint: The file that a `Trainer` has written.
        steps: How many it must have been trained.
        averaged: Whether the moving average is taken in place of the last weights.

    Raises:
        ModelError: If that stage has not run yet, or not so far, or trained another network.
    """
    if not checkpoint.exists():
        raise ModelError(
            f"The checkpoint {checkpoint.name} does not exist.",
            f"Run the stage {checkpoint.stem} first.",
        )
    state = _load(checkpoint)
    if state.get("step", 0) < steps:
        raise ModelError(
            f"{checkpoint.name} has {state.get('step', 0)} of {steps} steps.",
            f"Run the stage {checkpoint.stem} to its end first.",
        )
    try:
        network.load_state_dict(state["network"])
        if averaged:
            average = EMAModel(network.parameters())
            average.load_state_dict(state["average"])
            average.copy_to(network.parameters())
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"The checkpoint {checkpoint.name} was written by another version.",
            "Export with that version, or move the file away to retrain this stage.",
        ) from error


def _load(checkpoint: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    return state


def learning_rate(step: int, settings: TrainerSettings) -> float:
    """Return the learning rate at ``step``, which counts from 0."""
    peak, total = settings.learning_rate, settings.steps
    rising = (step + 1) / max(1, settings.warmup_steps)
    if settings.decay == "linear":
        falling = (total - step) / max(1, round(total * settings.decay_share))
        return peak * min(1.0, rising, falling)
    if step < settings.warmup_steps:
        return peak * rising
    progress = (step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
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
