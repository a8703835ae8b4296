"""Making a recorded image again under the conditions it was made in, as far as they are had here.

The record may be a stranger's: what it says of device, number format and threads is taken only
where this machine has it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from sheepgen.device_options import DTYPES
from sheepgen.events import RunFinished
from sheepgen.pipeline.device import available_devices, resolve_device
from sheepgen.pipeline.loading import load_pipeline
from sheepgen.pipeline.stream import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.catalog import ModelSpec
    from sheepgen.metadata import Environment, ImageRecord
    from sheepgen.pipeline.parts import PipelineParts

__all__ = ["MAX_THREADS", "load_as_recorded", "remake"]

MAX_THREADS = 256
"""Torch starts as many as it is told to; no record is to have it start a million."""


def load_as_recorded(spec: ModelSpec, environment: Environment) -> PipelineParts:
    """Load a model on the recorded device, or one of its kind, in the recorded number format.

    What cannot be had here is left to `load_pipeline` to choose.

    Raises:
        ModelError: If the model's folder is damaged.
    """
    device = _device_like(environment.device)
    possible = environment.dtype in DTYPES and (
        environment.dtype != "fp16" or resolve_device(device).type != "cpu"
    )
    return load_pipeline(spec, device=device, dtype=environment.dtype if possible else "auto")


def remake(parts: PipelineParts, record: ImageRecord, *, threads: int | None) -> RunFinished:
    """Make the record's image again, alone.

    Args:
        parts: The model.
        record: Of the image.
        threads: CPU threads to compute with; None for the record's number, or this process's own
            if that is out of bounds.

    Raises:
        UsageError: If this model cannot do what the record asks for.
        NonFiniteError: If NaN or infinity comes out of the model.
    """
    with _computing_with(threads or record.environment.threads):
        *_, finished = stream(parts, record.request)
    assert isinstance(finished, RunFinished), "it is the last event"
    return finished


def _device_like(recorded: str) -> str:
    available = available_devices()
    kind = recorded.partition(":")[0]
    alike = [device for device in available if device.partition(":")[0] == kind]
    return recorded if recorded in available else next(iter(alike), "auto")


@contextmanager
def _computing_with(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if 1 <= threads <= MAX_THREADS:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
