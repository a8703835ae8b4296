"""The executor of this process: one batch after another, one model at a time."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from sheepgen.errors import ran_out_of_memory
from sheepgen.events import RunFailed, RunFinished
from sheepgen.execution.batch_sizes import BatchSizes
from sheepgen.execution.model_slot import ModelSlot
from sheepgen.execution.out_of_memory import explain_out_of_memory
from sheepgen.execution.timing import record_image
from sheepgen.pipeline.run import stream_batch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from sheepgen.adapters import Adapters
    from sheepgen.events import Event
    from sheepgen.execution.device_memory import DeviceMemory
    from sheepgen.execution.model_slot import Models
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, FrameOptions
    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.shell_command import TypedCommand

__all__ = ["LocalExecutor"]

UNLIMITED = sys.maxsize


class LocalExecutor:
    """Generates images here, and remembers what they took for `sheepgen.execution.timing`.

    A model stays loaded until another one is asked for, and keeps the prompts that it encoded last;
    so requests that share these belong together.

    Args:
        specs: Models, as requests name them.
        options: Where and how to compute. A batch that the device's memory is too small for is
            split into halves, and so are those after it.
        frames: Which frames are decoded; None for none.
        command: That was typed, for errors.
        models: What loads them; None for room for one.
    """

    def __init__(
        self,
        specs: Mapping[ModelReference, ModelSpec],
        options: DeviceOptions,
        frames: FrameOptions | None = None,
        command: TypedCommand | None = None,
        models: Models | None = None,
    ) -> None:
        self._specs = specs
        self._options = options
        self._frames = frames
        self._command = command
        self._sizes = BatchSizes(specs=specs, options=options)
        self._most_pixels = UNLIMITED
        self._models = models or ModelSlot()
        self._memory: DeviceMemory | None = None
        self._tiled_from = None if options.tiled_decoding is None else int(options.tiled_decoding)

    def load(
        self, model: ModelReference, adapters: Adapters, images: Sequence[ResolvedRequest] = ()
    ) -> LoadedModel:
        """Return a loaded model with what is added to it, unloading the previous one.

        Args:
            model: As requests name it.
            adapters: What is added to it.
            images: That will be generated together, for which the model has to leave room on the
                device; without any, one of the model's own size.

        Raises:
            UsageError: If this machine has no such device, or it does not go with the dtype.
            ModelError: If the model is damaged, or what is added to it does not fit.
        """
        try:
            return self._load_or_change(model, adapters, images)
        except Exception as error:
            explained = self._explained(error, images)
            if explained is error:
                raise
            raise explained from error

    def _load_or_change(
        self, model: ModelReference, adapters: Adapters, images: Sequence[ResolvedRequest]
    ) -> LoadedModel:
        if self._memory is None:
            self._memory = self._models.memory(self._options)
        spec = self._specs[model]
        needed = self._memory.plan(spec, images)
        return self._models.load(spec, adapters, self._options, needed)

    def batch_size(self, request: ResolvedRequest) -> int:
        """Return how many requests with this one's `batch_key` are generated together."""
        wanted = self._sizes.batch_size(request)
        return max(1, min(wanted, self._most_pixels // _pixels(request)))

    def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
        """Generate an image of every request, in their order; see `Executor`."""
        for batch in batches:
            started = time.perf_counter()
            try:
                self.load(batch[0].model_reference, batch[0].adapters, batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                elapsed_s = time.perf_counter() - started
                for request in batch:
                    yield RunFailed(request=request, error=error, elapsed_s=elapsed_s)
            else:
                yield from self._make(batch)

    def _make(self, batch: Sequence[ResolvedRequest]) -> Generator[Event]:
        """Generate a batch; one that fails is split into halves, so that one image fails alone."""
        started = time.perf_counter()
        unfinished = dict.fromkeys(batch)
        try:
            model = self.load(batch[0].model_reference, batch[0].adapters, batch)
            for event in stream_batch(model, batch, self._frames, tiled_from=self._tiled_from):
                if isinstance(event, RunFinished):
                    del unfinished[event.request]
                    sha256 = self._specs[event.request.model_reference].sha256
                    record_image(event, model_sha256=sha256, options=self._options)
                yield event
        except Exception as error:  # noqa: BLE001 - as above
            half = len(batch) // 2
            if not half:
                elapsed_s = time.perf_counter() - started
                error = self._explained(error, batch)
                yield RunFailed(request=batch[0], error=error, elapsed_s=elapsed_s)
                return
            if ran_out_of_memory(error):
                self._most_pixels = min(self._most_pixels, half * _pixels(batch[0]))
        # After the handler, whose error would keep the failed batch's memory.
        again, most = list(unfinished), (len(batch) + 1) // 2
        while again:
            size = min(most, self.batch_size(again[0]))
            yield from self._make(again[:size])
            again = again[size:]

    def _explained(self, error: Exception, batch: Sequence[ResolvedRequest]) -> Exception:
        """Return an error; one of memory with the command that would fit."""
        if self._memory is None or not batch or not ran_out_of_memory(error):
            return error
        spec = self._specs[batch[0].model_reference]
        return explain_out_of_memory(error, self._memory, spec, batch, self._command)


def _pixels(request: ResolvedRequest) -> int:
    return math.prod(request.final_size)
