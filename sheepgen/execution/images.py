"""Making the images of a folder: those that are missing, each by one process, each recorded."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from sheepgen.events import ImageSaved, RunFailed, Waiting
from sheepgen.execution.batching import in_batches
from sheepgen.output.images import save_images

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from sheepgen.events import RunEvent
    from sheepgen.execution.executor import Executor
    from sheepgen.execution.work_queue import WorkQueue
    from sheepgen.output.images import OutputLayout
    from sheepgen.output.template import Target
    from sheepgen.request import ResolvedRequest

__all__ = ["make_images"]

_WAIT_S = 0.2


def make_images(
    keys: Mapping[ResolvedRequest, str],
    executor: Executor,
    ledger: WorkQueue,
    layout: OutputLayout,
    targets: Mapping[ResolvedRequest, Target],
) -> Generator[RunEvent]:
    """Make what is missing and pass the events on.

    An image that another process is making is waited for, with `Waiting` several times a second;
    should that process die, it is made here. Every `ImageSaved` and `RunFailed` is in the manifest
    when it is passed on.

    Args:
        keys: Resolved requests and the keys of their images.
        executor: Makes them.
        ledger: Of the folder that they go to.
        layout: What is saved of each.
        targets: Where each one goes, inside the ledger's folder; what was made for it is replaced.

    Raises:
        OutputError: If the disk is full, or the folder cannot be written to.
    """
    left = list(keys)
    while left:
        taken_elsewhere: list[ResolvedRequest] = []
        claimed = _claimed(keys, left, taken_elsewhere, ledger, executor)
        with closing(executor.run(claimed)) as running:
            for event in save_images(running, layout, targets, ledger.manifest):
                if isinstance(event, ImageSaved | RunFailed):
                    ledger.record(keys[event.request], event)
                yield event
        left = taken_elsewhere
        if left:
            yield Waiting(requests=tuple(left))
            time.sleep(_WAIT_S)


def _claimed(
    keys: Mapping[ResolvedRequest, str],
    requests: Iterable[ResolvedRequest],
    taken_elsewhere: list[ResolvedRequest],
    ledger: WorkQueue,
    executor: Executor,
) -> Iterator[list[ResolvedRequest]]:
    """Yield the requests that this process is to carry out, each claimed when it is yielded.

    Args:
        keys: Of all images.
        requests: That are to be claimed.
        taken_elsewhere: Filled with those that another process has claimed.
        ledger: Of the folder.
        executor: Decides how many are made together.
    """
    for batch in in_batches(requests, executor.batch_size):
        claims = {request: ledger.claim(keys[request]) for request in batch}
        taken_elsewhere += [request for request, claim in claims.items() if claim == "busy"]
        if mine := [request for request, claim in claims.items() if claim == "mine"]:
            yield mine
