"""Tiny models loaded as the command loads them, and run to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sheepgen.events import RunFinished
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.adapters import Adapters
    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.request import GenerationRequest

_Model = TypeVar("_Model")


def load(
    folder: Path, kind: type[_Model], dtype: str = "fp32", adapters: Adapters | None = None
) -> _Model:
    """Return the model in a folder, which is of this class, on the CPU."""
    model = load_model(str(folder), device="cpu", dtype=dtype, adapters=adapters)
    assert isinstance(model, kind)
    return model


def finished(model: LoadedModel, request: GenerationRequest) -> RunFinished:
    """Return the end of a run."""
    *_, last = stream(model, request)
    assert isinstance(last, RunFinished)
    return last
