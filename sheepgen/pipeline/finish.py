"""The end of an image's run: its record, and the event that carries both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sheepgen.events import RunFinished
from sheepgen.metadata.generated_image import GeneratedImage
from sheepgen.metadata.record import MAX_WORDS, ImageRecord
from sheepgen.pipeline.environment import describe_environment
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.prompt_reading import add_readings

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["finish"]


def finish(
    model: LoadedModel,
    request: ResolvedRequest,
    image: Image.Image,
    *,
    noise: Tensor,
    latents: Tensor,
    batch_size: int,
    started: float,
    tiled_from: int = 0,
) -> RunFinished:
    """Return a finished image with its record.

    Args:
        model: That made it.
        request: What was asked for.
        image: What was made.
        noise: That it started with.
        latents: That it was decoded from.
        batch_size: Images that were denoised together.
        started: When, by `time.perf_counter`.
        tiled_from: The first pass whose image was decoded in tiles; 0 if none was.
    """
    texts, weights = zip(*request.prompts, strict=True)
    readings = [model.read_prompt(text, request.prompt_format) for text in texts]
    reading = add_readings(readings, weights)
    record = ImageRecord(
        request=request,
        environment=describe_environment(model, batch_size=batch_size, tiled_from=tiled_from),
        noise_sha256=tensor_sha256(noise),
        latents_sha256=tensor_sha256(latents),
        truncated=reading.truncated,
        understood=reading.understood,
        unused=reading.unused[:MAX_WORDS],
        corrected=reading.corrected[:MAX_WORDS],
    )
    return RunFinished(
        request=request,
        image=GeneratedImage(image, record),
        record=record,
        elapsed_s=time.perf_counter() - started,
    )
