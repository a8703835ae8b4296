"""Putting requests together that can go through the loop at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sheepgen.request import GenerationRequest

__all__ = ["in_batches"]


def in_batches(
    requests: Iterable[GenerationRequest], batch_size: Callable[[GenerationRequest], int]
) -> Iterator[list[GenerationRequest]]:
    """Yield neighbours that share the loop together, all in their order.

    Args:
        requests: Resolved.
        batch_size: `sheepgen.sweep.executor.Executor.batch_size`, asked for the first of a batch.
    """
    batch: list[GenerationRequest] = []
    for request in requests:
        if batch and not (request.shares_loop_with(batch[0]) and len(batch) < batch_size(batch[0])):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch
