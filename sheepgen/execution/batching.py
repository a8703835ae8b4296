"""Putting requests together that can go through the loop at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sheepgen.request import ResolvedRequest

__all__ = ["in_batches"]


def in_batches(
    requests: Iterable[ResolvedRequest], batch_size: Callable[[ResolvedRequest], int]
) -> Iterator[list[ResolvedRequest]]:
    """Yield every request once, together with others of the same loop settings.

    Images that are made alone keep their order; others come with the first of their kind, so that
    each model is still loaded once.

    Args:
        requests: Resolved.
        batch_size: `sheepgen.execution.executor.Executor.batch_size`; its answer may change between
            two batches.
    """
    kinds: dict[object, list[ResolvedRequest]] = {}
    for request in requests:
        kind = request.batch_key if batch_size(request) > 1 else request
        kinds.setdefault(kind, []).append(request)
    for alike in kinds.values():
        start = 0
        while start < len(alike):
            end = start + batch_size(alike[start])
            yield alike[start:end]
            start = end
