"""Text to image: requests in, events out, every picture reproducible.

Names that need torch are imported when they are first used, so that ``import sheepgen`` costs
nothing:

    from sheepgen import GenerationRequest, generate, load_model

    model = load_model("sheepgen")
    request = GenerationRequest(prompt="a fox in the snow", seed=42)
    image = generate(model, request)  # a Pillow image
    image.save("fox.png")  # with its record, as the command writes it

With the frames on its way, a filmstrip and an animation:

    from sheepgen import FrameOptions, save, stream

    saved = save(stream(model, request, FrameOptions()), "fox.png", frames="gif")
    print(saved.path, saved.artifacts)

A sweep, which goes on where it stopped when it is run again:

    from pathlib import Path

    from sheepgen import plan_sweep, run_sweep

    plan = plan_sweep({"prompt": ["a fox in the snow"], "seed": [1, 2]}, Path("foxes"))
    for event in run_sweep(plan):
        print(event)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sheepgen.errors import SheepgenError
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.version import __version__

if TYPE_CHECKING:
    from sheepgen.execution.plan import RunSettings, plan_run
    from sheepgen.execution.run import run_plan
    from sheepgen.metadata.generated_image import GeneratedImage
    from sheepgen.metadata.image_file import read_record
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.resolve import find_model
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import FrameOptions
    from sheepgen.output.images import save
    from sheepgen.pipeline.denoise import denoise
    from sheepgen.pipeline.loading import load_model
    from sheepgen.pipeline.run import generate, stream, stream_batch
    from sheepgen.sweep.folder import plan_sweep
    from sheepgen.sweep.run import run_sweep

__all__ = [
    "EMBEDDED_MODEL",
    "FrameOptions",
    "GeneratedImage",
    "GenerationRequest",
    "ImageRecord",
    "ModelSpec",
    "RunSettings",
    "SheepgenError",
    "__version__",
    "denoise",
    "find_model",
    "generate",
    "load_model",
    "plan_run",
    "plan_sweep",
    "read_record",
    "run_plan",
    "run_sweep",
    "save",
    "stream",
    "stream_batch",
]

_LAZY = {
    "FrameOptions": "sheepgen.options",
    "GeneratedImage": "sheepgen.metadata.generated_image",
    "ImageRecord": "sheepgen.metadata.record",
    "ModelSpec": "sheepgen.models.spec",
    "RunSettings": "sheepgen.execution.plan",
    "denoise": "sheepgen.pipeline.denoise",
    "find_model": "sheepgen.models.resolve",
    "generate": "sheepgen.pipeline.run",
    "load_model": "sheepgen.pipeline.loading",
    "plan_run": "sheepgen.execution.plan",
    "plan_sweep": "sheepgen.sweep.folder",
    "read_record": "sheepgen.metadata.image_file",
    "run_plan": "sheepgen.execution.run",
    "run_sweep": "sheepgen.sweep.run",
    "save": "sheepgen.output.images",
    "stream": "sheepgen.pipeline.run",
    "stream_batch": "sheepgen.pipeline.run",
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
