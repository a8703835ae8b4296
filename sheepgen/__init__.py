"""Text to image: requests in, events out, every picture reproducible.

Names that need torch are imported when they are first used, so that ``import sheepgen`` costs
nothing:

    from sheepgen import GenerationRequest, find_model, generate, load_pipeline

    parts = load_pipeline(find_model("sheepgen"))
    request = GenerationRequest(prompt="a fox in the snow", seed=42)
    image = generate(parts, request)  # a Pillow image
    image.save("fox.png")  # with its record, as the command writes it

With the frames on its way, a filmstrip and an animation:

    from sheepgen import FrameOptions, save, stream

    saved = save(stream(parts, request, FrameOptions()), "fox.png", frames="gif")
    print(saved.path, saved.frames_folder, saved.filmstrip, saved.animation)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sheepgen.errors import SheepgenError
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest

if TYPE_CHECKING:
    from sheepgen.catalog import ModelSpec, find_model
    from sheepgen.frame_options import FrameOptions
    from sheepgen.generated_image import GeneratedImage
    from sheepgen.image_file import read_record
    from sheepgen.metadata import ImageRecord
    from sheepgen.pipeline.denoise import denoise
    from sheepgen.pipeline.loading import load_pipeline
    from sheepgen.pipeline.stream import generate, stream
    from sheepgen.sinks.save import save

__version__ = "0.1.0"

__all__ = [
    "EMBEDDED_MODEL",
    "FrameOptions",
    "GeneratedImage",
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
    "save",
    "stream",
]

_LAZY = {
    "FrameOptions": "sheepgen.frame_options",
    "GeneratedImage": "sheepgen.generated_image",
    "ImageRecord": "sheepgen.metadata",
    "ModelSpec": "sheepgen.catalog",
    "denoise": "sheepgen.pipeline.denoise",
    "find_model": "sheepgen.catalog",
    "generate": "sheepgen.pipeline.stream",
    "load_pipeline": "sheepgen.pipeline.loading",
    "read_record": "sheepgen.image_file",
    "save": "sheepgen.sinks.save",
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
