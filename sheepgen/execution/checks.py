"""What this machine and a model's scheduler say of a request, before its weights are loaded.

PyTorch is imported when it is first needed, and nothing of it where no check needs it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.models.added.transformer import with_transformer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ResolvedRequest

__all__ = ["check_adapters", "check_device", "check_schedules"]


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
