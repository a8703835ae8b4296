"""Text to image: requests in, events out, every picture reproducible.

Names that need torch are imported when they are first used, so that ``import sheepgen`` costs
nothing:

    from sheepgen import GenerationRequest, find_model, generate, load_pipeline

    spec = find_model("sheepgen")
    request = GenerationRequest(prompt="a red fox in the snow", seed=42).resolve(spec)
    generate(load_pipeline(spec), request).save("fox.png")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sheepgen.errors import SheepgenError
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest

if TYPE_CHECKING:
    from sheepgen.catalog import ModelSpec, find_model
    from sheepgen.image_file import read_record
    from sheepgen.metadata import ImageRecord
    from sheepgen.pipeline.denoise import denoise
    from sheepgen.pipeline.loading import load_pipeline
    from sheepgen.pipeline.stream import generate, stream

__version__ = "0.1.0"

__all__ = [
    "EMBEDDED_MODEL",
    "GenerationRequest",
    "ImageRecord",
    "ModelSpec",
    "SheepgenError",
    "__version__",
    "denoise",
    "find_model",
    "generate",
    "load_pipeline",
    "read_record",
    "stream",
]

_LAZY = {
    "ImageRecord": "sheepgen.metadata",
    "ModelSpec": "sheepgen.catalog",
    "denoise": "sheepgen.pipeline.denoise",
    "find_model": "sheepgen.catalog",
    "generate": "sheepgen.pipeline.stream",
    "load_pipeline": "sheepgen.pipeline.loading",
    "read_record": "sheepgen.image_file",
    "stream": "sheepgen.pipeline.stream",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import a lazy name on its first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
