"""Draws many prompts with one model, several pictures at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.events import RunFinished
from sheepgen.pipeline.run import stream_batch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from PIL.Image import Image

    from sheepgen.pipeline.family import Model
    from sheepgen.request import GenerationRequest

__all__ = ["draw_prompts"]

MOST_TOGETHER = 8
MOST_PIXELS = 8 * 256 * 256
"""What pictures that are drawn together come to at most; larger ones are drawn fewer at a time."""


def draw_prompts(
    model: Model,
    settings: GenerationRequest,
    prompts: Iterable[str],
    seeds: Iterable[int],
) -> Iterator[Image]:
    """Draw every prompt with every seed.

    Args:
        model: Loaded.
        settings: Steps, guidance and all else but prompt and seed.
        prompts: What to draw.
        seeds: Of each prompt's pictures.

    Yields:
        The pictures, those of one prompt after the other.
    """
    settings, seeds = model.spec.resolve(settings), tuple(seeds)
    pixels = settings.width * settings.height
    together = max(1, min(MOST_TOGETHER, MOST_PIXELS // pixels))
    requests = [replace(settings, prompt=text, seed=seed) for text in prompts for seed in seeds]
    for start in range(0, len(requests), together):
        batch = requests[start : start + together]
        for event in stream_batch(model, batch):
            if isinstance(event, RunFinished):
                yield event.image
