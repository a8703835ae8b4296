"""The executor of this process: one request after the other, one model at a time."""

from __future__ import annotations

import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from sheepgen.events import RunFailed
from sheepgen.pipeline.conditioning import encode_prompt
from sheepgen.pipeline.loading import load_pipeline
from sheepgen.pipeline.stream import stream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from sheepgen.catalog import ModelSpec
    from sheepgen.events import Event
    from sheepgen.frame_options import FrameOptions
    from sheepgen.pipeline.conditioning import EncodePrompt
    from sheepgen.pipeline.parts import PipelineParts
    from sheepgen.request import GenerationRequest

__all__ = ["LocalExecutor"]

CACHED_PROMPTS = 64
"""Some 15 MB of embeddings for Stable Diffusion 1."""


class LocalExecutor:
    """Makes images here.

    A model stays loaded until another one is asked for, and a prompt's embeddings until they were
    not used for a while; so requests that share these belong together.

    Args:
        specs: Models by the name that requests have them by.
        device: One of `sheepgen.device_options.DEVICES`.
        dtype: One of `sheepgen.device_options.DTYPES`.
        frames: Which frames are drawn on the way; None for none.
    """

    def __init__(
        self,
        specs: Mapping[str, ModelSpec],
        *,
        device: str = "auto",
        dtype: str = "auto",
        frames: FrameOptions | None = None,
    ) -> None:
        self._specs = specs
        self._device = device
        self._dtype = dtype
        self._frames = frames
        self._loaded: tuple[str, PipelineParts, EncodePrompt] | None = None

    def load(self, model: str) -> tuple[PipelineParts, EncodePrompt]:
        """Have a model at hand, in place of the one that was.

        Raises:
            UsageError: If this machine has no such device, or it does not go with the format.
            ModelError: If the model is damaged.
        """
        if self._loaded is None or self._loaded[0] != model:
            self._loaded = None  # before the next one comes: there may not be room for two
            parts = load_pipeline(self._specs[model], device=self._device, dtype=self._dtype)
            self._loaded = model, parts, lru_cache(CACHED_PROMPTS)(partial(encode_prompt, parts))
        return self._loaded[1:]

    def run(self, requests: Iterable[GenerationRequest]) -> Generator[Event]:
        """Make an image of every request, in their order; see `Executor`."""
        for request in requests:
            started = time.perf_counter()
            try:
                parts, encode = self.load(request.model)
                yield from stream(parts, request, self._frames, encode=encode)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                elapsed_s = time.perf_counter() - started
                yield RunFailed(request=request, error=error, elapsed_s=elapsed_s)
