"""What makes images: requests in, events out.

Planning, manifest and sinks know executors by this protocol alone, so that images can be made in
this process or on other machines without any of them knowing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from sheepgen.events import Event
    from sheepgen.request import ResolvedRequest

__all__ = ["Executor"]


class Executor(Protocol):
    """Anything that makes images."""

    def batch_size(self, request: ResolvedRequest) -> int:
        """Return how many requests with this one's loop settings are best made together."""

    def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
        """Make an image of every request.

        A batch holds distinct requests of the same
        `sheepgen.request.GenerationRequest.batch_key`, at most `batch_size` of them. It is
        taken only when work on it can begin, because taking it is what claims it. Each request's
        events come in the order that `sheepgen.events` says and end with `RunFinished` or
        `RunFailed`; a failure of one request does not stop the others, also not those of its batch.
        Events carry the request that was taken, so requests must be resolved. Closing the generator
        stops the work.
        """
