"""What generates images: requests in, events out.

Sweeps, batches and output know executors by this protocol alone, so that images can be generated
in this process or on other machines without any of them knowing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from sheepgen.events import Event
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["Batching", "Executor", "in_batches"]


class Batching(Protocol):
    """Anything that decides how many images are generated together."""

    def batch_size(self, request: ResolvedRequest) -> int:
        """Return how many requests with this one's loop settings are best generated together."""


class Executor(Batching, Protocol):
    """Anything that generates images."""

    def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
        """Generate an image of every request.

        A batch holds distinct requests of the same
        `sheepgen.request.GenerationRequest.batch_key`, at most `batch_size` of them. It is
        taken only when work on it can begin, because taking it is what claims it. Each request's
        events come in the order that `sheepgen.events` says and end with `RunFinished` or
        `RunFailed`; a failure of one request does not stop the others, also not those of its batch.
        Events carry the request that was taken, so requests must be resolved. Closing the generator
        stops the work.
        """


def in_batches(
    requests: Iterable[ResolvedRequest], batching: Batching
) -> Iterator[list[ResolvedRequest]]:
    """Yield every request once, together with others of the same loop settings.

    Images that are generated alone keep their order; others come with the first of their kind, so
    that each model is still loaded once.

    Args:
        requests: Resolved.
        batching: Decides how large a batch is; its answer may change between two batches.
    """
    kinds: dict[object, list[ResolvedRequest]] = {}
    kind, is_alone = object(), True
    for request in requests:
        was_alone, is_alone = is_alone, batching.batch_size(request) <= 1
        if not is_alone:
            kind = request.batch_key
        elif not was_alone:
            kind = object()
        kinds.setdefault(kind, []).append(request)
    for alike in kinds.values():
        start = 0
        while start < len(alike):
            end = start + batching.batch_size(alike[start])
            yield alike[start:end]
            start = end
