"""Making the images of a folder: those that are missing, each by one process, each recorded."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.events import ImageSaved, RunFailed
from sheepgen.execution.batching import in_batches
from sheepgen.output.images import save_images
from sheepgen.output.ownership import own_products

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from sheepgen.events import Event
    from sheepgen.execution.executor import Executor
    from sheepgen.execution.work_queue import WorkQueue
    from sheepgen.output.images import OutputLayout
    from sheepgen.output.template import Target
    from sheepgen.request import ResolvedRequest

__all__ = ["make_images"]


def make_images(
    keys: Mapping[ResolvedRequest, str],
    executor: Executor,
    ledger: WorkQueue,
    layout: OutputLayout,
    place: Callable[[ResolvedRequest], Target],
    *,
    wait: Callable[[], None],
) -> Generator[Event]:
    """Make what is missing and pass the events on.

    An image that another process is making is waited for; should that process die, it is made
    here. Every `ImageSaved` and `RunFailed` is in the manifest when it is passed on.

    Args:
        keys: Resolved requests and the keys of their images.
        executor: Makes them.
        ledger: Of the folder that they go to.
        layout: What is saved of each.
        place: Where each one goes, inside the ledger's folder; what was made for it is replaced.
        wait: Called between two looks at what others are making; sleeps a moment.

    Raises:
        OutputError: If the disk is full, or the folder cannot be written to.
    """

    def place_now(request: ResolvedRequest) -> Target:
        """Look again at what is there: another process may have been killed since the plan."""
        target = place(request)
        return replace(target, own=own_products(target, request, ledger.manifest))

    claimed = _claimed(keys, ledger, executor, wait)
    with closing(executor.run(claimed)) as running:
        for event in save_images(running, layout, place_now):
            if isinstance(event, ImageSaved | RunFailed):
                ledger.record(keys[event.request], event)
            yield event


def _claimed(
    keys: Mapping[ResolvedRequest, str],
    ledger: WorkQueue,
    executor: Executor,
    wait: Callable[[], None],
) -> Iterator[list[ResolvedRequest]]:
    """Yield the requests that this process is to carry out, each claimed as it is taken."""
    waiting = list(keys)
    while waiting:
        busy: list[ResolvedRequest] = []
        for batch in in_batches(waiting, executor.batch_size):
            claims = {request: ledger.claim(keys[request]) for request in batch}
            busy += [request for request, claim in claims.items() if claim == "busy"]
            if mine := [request for request, claim in claims.items() if claim == "mine"]:
                yield mine
        waiting = busy
        if waiting:
            wait()
